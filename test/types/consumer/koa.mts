import Koa, { type ParameterizedContext } from 'koa';
import { koaLimit } from 'sluice/koa';

const text = (value: string): string => value;

interface State {
  readonly user: string;
}

const app = new Koa();
app.use(koaLimit());
app.use(koaLimit({ key: (context) => context.state.user ?? text(context.ip) }));
app.use(koaLimit({ key: ({ path }) => text(path), skip: ({ method }) => text(method) === 'HEAD' }));

app.use(koaLimit({ refuse: (info, context) => context.throw(429, text(String(info.retryAfterMs))) }));

const typed = new Koa<State>();
typed.use(koaLimit({ key: (context) => context.state.user }));
typed.use(koaLimit({ key: ({ state }: ParameterizedContext<State>) => text(state.user) }));
typed.use(koaLimit<ParameterizedContext<State>>({ key: (context) => text(context.state.user) }));

// @ts-expect-error: the state has no name
typed.use(koaLimit<ParameterizedContext<State>>({ key: (context) => context.state.name }));
// @ts-expect-error: a cost is a number
app.use(koaLimit({ cost: ({ path }) => path }));
// @ts-expect-error: there is no such option
app.use(koaLimit({ costs: 5 }));

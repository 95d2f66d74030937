// The documentation as a static site: `npm run docs` writes it to build/docs, and fails on a link that leads nowhere.
import { existsSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitepress';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { repository, version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
const source = `${repository.url.replace(/^git\+|\.git$/g, '')}/blob/main/`;
const generated = new URL('../reference/typedoc-sidebar.json', import.meta.url);
const listed = existsSync(generated) ? JSON.parse(readFileSync(generated, 'utf8')) : [];
/** The entries of the package, each with its members: typedoc lists the other entries below the main one. */
const entries = listed.flatMap(({ items: below, ...main }) => {
  const isEntry = ({ link }) => link !== undefined;
  const others = below.filter(isEntry).map((entry) => ({ ...entry, text: `${main.text}/${entry.text}` }));
  return [{ ...main, items: below.filter((kind) => !isEntry(kind)) }, ...others];
});

/** Makes links to files outside docs/ lead to the repository. Throws if there is no such file. */
function linksToRepository(markdown) {
  markdown.core.ruler.push('repository-links', ({ tokens, env }) => {
    for (const { children } of tokens) {
      for (const token of children ?? []) {
        const href = token.attrGet('href');
        if (token.type !== 'link_open' || href === null || /^[a-z]+:|^[#/]/.test(href)) continue;
        const [path = '', anchor] = href.split('#');
        const file = posix.join('docs', posix.dirname(env.relativePath), path);
        if (file.startsWith('docs/')) continue;
        if (!existsSync(root + file)) throw new Error(`${env.relativePath}: ${href} leads nowhere`);
        token.attrSet('href', source + file + (anchor === undefined ? '' : `#${anchor}`));
      }
    }
  });
}

const items = (...pages) =>
  pages
    .filter(([, link]) => link.endsWith('/') || existsSync(`${root}docs${link}.md`))
    .map(([text, link]) => ({ text, link }));

const guides = [
  {
    text: 'Begin',
    items: items(
      ['Quick start', '/quick-start'],
      ['Concepts', '/concepts'],
      ['Examples', '/examples'],
      ['Guarantees', '/guide/guarantees'],
    ),
  },
  {
    text: 'How do I ...',
    items: items(
      ['run a flash sale, from HTTP to payment', '/guide/flash-sale'],
      ['limit an API', '/guide/limit-an-api'],
      ['pass records between threads', '/guide/threads'],
      ['shut down', '/guide/shutdown'],
      ['test it', '/guide/testing'],
      ['use it in TypeScript', '/guide/typescript'],
      ['bundle it', '/guide/bundlers'],
      ['run it in Bun, and test it with Jest', '/guide/runtimes'],
      ['run it in Docker, on Alpine, in containers', '/guide/containers'],
      ['migrate', '/guide/migrating'],
    ),
  },
  {
    text: 'In depth',
    items: items(
      ['Records', '/guide/records'],
      ['The queue', '/guide/queue'],
      ['The limiter', '/guide/limiter'],
      ['The limiter over HTTP', '/guide/http'],
      ['The stock', '/guide/stock'],
      ['The gate', '/guide/gate'],
      ['The dispatcher', '/guide/dispatch'],
      ['Overflow', '/guide/overflow'],
      ['Redis Streams', '/guide/redis'],
      ['One sale over several machines', '/guide/redis-sale'],
      ['Observability', '/guide/observability'],
    ),
  },
  {
    text: 'Figures',
    items: items(['Benchmarks', '/guide/benchmarks'], ['Traps', '/guide/traps']),
  },
  {
    text: 'Look up',
    items: items(
      ['Outcomes and statuses', '/outcomes'],
      ['Errors', '/errors/'],
      ['Reference', '/reference/'],
    ),
  },
  {
    text: 'Internals',
    collapsed: true,
    items: items(
      ['Architecture', '/internals/architecture'],
      ['Glossary', '/internals/glossary'],
      ['Memory model', '/internals/memory-model'],
      ['Recovery', '/internals/recovery'],
      ['Tests', '/internals/testing'],
      ['WebAssembly', '/internals/webassembly'],
      ['Decisions', '/internals/decisions/README'],
    ),
  },
];

export default defineConfig({
  title: 'sluice',
  description: 'Flash-sale admission control for Node.js',
  outDir: '../build/docs',
  cacheDir: '../build/docs-cache',
  srcExclude: ['node_modules/**'],
  markdown: { config: linksToRepository },
  head: [
    ['link', { rel: 'icon', href: 'data:,' }],
    ['style', {}, '.vp-doc pre { overflow-x: auto }'], // also code that is only indented
  ],
  themeConfig: {
    nav: [
      { text: 'Quick start', link: '/quick-start' },
      { text: 'Guides', link: '/guide/flash-sale' },
      { text: 'Reference', link: '/reference/' },
      { text: `v${version}`, link: `${source}CHANGELOG.md` },
    ],
    sidebar: {
      '/': guides,
      '/reference/': [
        { text: 'Reference', items: entries },
        { text: 'Guides', items: items(['Quick start', '/quick-start'], ['Errors', '/errors/']) },
      ],
    },
    outline: [2, 3],
    search: { provider: 'local' }, // no service outside
    socialLinks: [{ icon: 'github', link: repository.url.replace(/^git\+|\.git$/g, '') }],
  },
});

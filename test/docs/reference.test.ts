import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const entryPoints = [
  ...[
    'index',
    'dispatch/index',
    'overflow/index',
    'http/index',
    'http/fastify',
    'http/koa',
    'http/fetch',
    'redis/index',
  ],
  ...['observe/dashboard', 'observe/metrics', 'observe/otel'],
];
/**
 * Interfaces that describe what sluice uses of a framework, of a client of Redis, or of a registry of metrics. The
 * pages of these document their functions.
 */
const frameworks = /^(?:Fastify|Koa|Hono|Http|NodeRedisClient|IoRedisClient|MetricRegistry)/;

interface Member {
  readonly name: string;
  readonly symbol: ts.Symbol;
  readonly isCall: boolean;
}

/** Returns a program of sluice and of `files`, whose text `read` returns. */
function programOf(
  files: readonly string[],
  read: (file: string) => string | undefined = () => undefined,
): ts.Program {
  // That of the tests, which says where the types of frameworks are.
  const { config } = ts.readConfigFile(`${root}test/tsconfig.json`, ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, `${root}test`);
  const all = { ...options, rootDir: root, noEmit: true, isolatedDeclarations: false, declaration: false };
  const host = ts.createCompilerHost(all);
  const { readFile, fileExists } = host;
  host.readFile = (file) => read(file) ?? readFile(file);
  host.fileExists = (file) => read(file) !== undefined || fileExists(file);
  return ts.createProgram([...entryPoints.map((name) => `${root}lib/${name}.ts`), ...files], all, host);
}

/** Returns every public declaration, and every public member of each. */
function publicMembers(program: ts.Program, checker: ts.TypeChecker): Member[] {
  const members = new Map<ts.Symbol, Member>();
  const add = (symbol: ts.Symbol, name: string): void => {
    const declaration = symbol.declarations?.[0];
    if (declaration === undefined || !declaration.getSourceFile().fileName.startsWith(`${root}lib/`)) return;
    if (!isPublic(symbol, declaration)) return;
    const isCall = (symbol.flags & (ts.SymbolFlags.Function | ts.SymbolFlags.Method)) !== 0;
    members.set(symbol, { name, symbol, isCall });
  };
  for (const entry of entryPoints) {
    const source = program.getSourceFile(`${root}lib/${entry}.ts`);
    const module = source && checker.getSymbolAtLocation(source);
    if (module === undefined) throw new Error(`lib/${entry}.ts is not in the program`);
    for (const exported of checker.getExportsOfModule(module)) {
      const isAlias = (exported.flags & ts.SymbolFlags.Alias) !== 0;
      const symbol = isAlias ? checker.getAliasedSymbol(exported) : exported;
      add(symbol, symbol.name);
      for (const member of symbol.members?.values() ?? []) add(member, `${symbol.name}.${member.name}`);
      if ((symbol.flags & ts.SymbolFlags.Class) === 0) continue;
      for (const member of symbol.exports?.values() ?? []) add(member, `${symbol.name}.${member.name}`);
    }
  }
  return [...members.values()];
}

function isPublic(symbol: ts.Symbol, declaration: ts.Declaration): boolean {
  if ((symbol.flags & (ts.SymbolFlags.TypeParameter | ts.SymbolFlags.Constructor)) !== 0) return false;
  if ((ts.getCombinedModifierFlags(declaration) & ts.ModifierFlags.Private) !== 0) return false;
  const name = ts.getNameOfDeclaration(declaration);
  if (name === undefined || ts.isPrivateIdentifier(name) || ts.isComputedPropertyName(name)) return false;
  return !symbol.getJsDocTags().some((tag) => tag.name === 'internal');
}

/** Returns what the documentation of a member lacks. */
function lacking({ name, symbol, isCall }: Member, checker: ts.TypeChecker): string[] {
  const lacks =
    ts.displayPartsToString(symbol.getDocumentationComment(checker)) === '' ? ['a description'] : [];
  if (!isCall || frameworks.test(name)) return lacks;
  const tags = symbol.getJsDocTags(checker);
  const declaration = symbol.declarations?.[0] as ts.Declaration;
  const signatures = checker.getTypeOfSymbolAtLocation(symbol, declaration).getCallSignatures();
  const parameters = new Set(signatures.flatMap((one) => one.parameters.map((parameter) => parameter.name)));
  const described = tags.filter((tag) => tag.name === 'param').map((tag) => tag.text?.[0]?.text);
  lacks.push(...[...parameters].filter((one) => !described.includes(one)).map((one) => `@param ${one}`));
  const isVoid = signatures.every((one) => checker.typeToString(one.getReturnType()) === 'void');
  const wanted = ['returns', 'throws', 'example'].filter((tag) => !(isVoid && tag === 'returns'));
  lacks.push(...wanted.filter((tag) => !tags.some((one) => one.name === tag)).map((tag) => `@${tag}`));
  return lacks;
}

/** The declarations that the examples assume. */
const given = `
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { ReadableStream } from 'node:stream/web';
import type { Express } from 'express';
import type { FastifyInstance } from 'fastify';
import { Hono } from 'hono';
import Koa from 'koa';
import { WebSocketServer } from 'ws';
import * as sluice from '../lib/index.js';
import { type Crew, deadLetterRecord, dispatch } from '../lib/dispatch/index.js';
import { Redis } from 'ioredis';
import { Registry } from 'prom-client';
import { createClient } from 'redis';
import { type Dashboard, dashboard } from '../lib/observe/dashboard.js';
import { register } from '../lib/observe/metrics.js';
import { activeTrace, type Instrumented, instrument, spanContextOf } from '../lib/observe/otel.js';
import * as http from '../lib/http/index.js';
import {
  ioRedis, nodeRedis, RedisGate, RedisLimiter, RedisQueue, RedisStock, RedisWorkers, redisStore, type RedisPort,
} from '../lib/redis/index.js';
import {
  lmdbStore, type OpenStore, type Spill, spill, sqliteStore, type Store,
} from '../lib/overflow/index.js';
import { fastifyLimit } from '../lib/http/fastify.js';
import { koaLimit } from '../lib/http/koa.js';
import { fetchLimit, fetchUpgrade, honoLimit, rateLimitOf } from '../lib/http/fetch.js';
const { addressKey, limit, limitUpgrade, verifyClient } = http;
const { bytes, Gate, json, Limiter, ManualClock, oneOf, Queue, record, Stock, traceContext, traceparent } = sluice;
const { u16, u32, u64, utf8 } = sluice;
type Infer<R> = sluice.Infer<R>;
const Order = record({ orderId: u64, sku: u32, quantity: u16, user: u32 });
type Order = Infer<typeof Order>;
declare const queue: sluice.Queue<Order>, limiter: sluice.Limiter, stock: sluice.Stock, gate: sluice.Gate<Order>;
declare const batcher: sluice.Batcher<Order>, permit: sluice.Permit<Order>, clock: sluice.ManualClock;
declare const crew: Crew<Order>, hold: sluice.Hold, reservation: bigint, decision: sluice.Decision;
declare const order: Order, orders: Order[], debit: Order, credit: Order, totals: Map<number, number>;
declare const app: Express, fastify: FastifyInstance, server: Server, wss: WebSocketServer;
declare const key: string, user: string, request: any, response: any, workerData: any, database: any, log: any, handler: any, isPasswordRight: boolean;
declare const instrumented: Instrumented, board: Dashboard;
declare let dropped: number;
declare const waits: sluice.WaitHistogram, before: sluice.WaitHistogram;
declare const Bun: {
  serve(options: {
    fetch(request: Request, server: { upgrade(request: Request, options: object): boolean }): unknown;
    websocket: { close(socket: { data: { end(): void } }): void };
  }): void;
};
declare const redis: RedisPort, port: RedisPort, workers: RedisWorkers<Order>, first: Order, second: Order;
declare const overflow: Spill<Order>, store: Store, opened: OpenStore, encoded: Uint8Array;
declare const redisQueue: RedisQueue<Order>, redisStock: RedisStock, redisLimiter: RedisLimiter;
declare const redisGate: RedisGate<Order>;
declare function handle(order: unknown): any;
declare function report(order: unknown): void;
declare function refuse(): void;
declare function retryLater(ms: number): void;
declare function refundPayment(): void;
declare function isCached(request: unknown): Promise<boolean>;
declare function isPaid(order: Order): Promise<boolean>;
declare function ship(order: Order): Promise<void>;
declare function charge(order: Order, reservation: bigint | undefined): Promise<void>;
declare function work(): Promise<void>;
`;

/** Returns a program that has the example of each member in a function of its own. */
function examplesOf(members: readonly Member[]): string {
  const examples = members.flatMap(({ name, symbol }) =>
    symbol
      .getJsDocTags()
      .filter((tag) => tag.name === 'example')
      .map(
        (tag, i) =>
          `async function of_${name.replace(/\W/g, '_')}_${i}() {\n${ts.displayPartsToString(tag.text)}\n}`,
      ),
  );
  return `${given}\n${examples.join('\n')}\nexport {};\n`;
}

const program = programOf([]);
const checker = program.getTypeChecker();
const members = publicMembers(program, checker);

it('documents every public member: what it is, its parameters, its result, its errors, an example', () => {
  expect(members.length).toBeGreaterThan(400);
  const missing = members
    .map((member) => [member.name, lacking(member, checker)] as const)
    .filter(([, lacks]) => lacks.length > 0)
    .map(([name, lacks]) => `${name}: ${lacks.join(', ')}`);
  expect(missing).toEqual([]);
});

it('says of each option that is a number its range, and of each that may be left out its default', () => {
  const options = members.filter(({ name }) => /^\w*(?:Options|Window)\.\w+$/.test(name));
  const faults = options.flatMap(({ name, symbol }) => {
    const declaration = symbol.declarations?.[0] as ts.Declaration;
    const type = checker.getNonNullableType(checker.getTypeOfSymbolAtLocation(symbol, declaration));
    if ((type.flags & ts.TypeFlags.NumberLike) === 0) return [];
    const text = ts.displayPartsToString(symbol.getDocumentationComment(checker));
    if (/\b(?:As|See|as for|as the option)\b/.test(text)) return []; // another option says it
    const isOptional = (symbol.flags & ts.SymbolFlags.Optional) !== 0;
    const hasDefault = !isOptional || /[Dd]efault|without|Absent/.test(text);
    return [
      ...(/\d/.test(text) ? [] : [`${name}: no range`]),
      ...(hasDefault ? [] : [`${name}: no default`]),
    ];
  });
  expect(options.length).toBeGreaterThan(100);
  expect(faults).toEqual([]);
});

it('has examples that compile', () => {
  const file = `${root}test/examples-of-the-reference.ts`;
  const text = examplesOf(members);
  const compiled = programOf([file], (name) => (name === file ? text : undefined));
  const source = compiled.getSourceFile(file);
  const faults = compiled.getSemanticDiagnostics(source).concat(compiled.getSyntacticDiagnostics(source));
  const shown = faults.map(({ start = 0, messageText }) => {
    const line = text.slice(text.lastIndexOf('\n', start) + 1).split('\n')[0];
    return `${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
  expect(text.split('async function').length).toBeGreaterThan(100);
  expect(shown).toEqual([]);
});

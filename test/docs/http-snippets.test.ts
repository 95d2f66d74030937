import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../program.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const page = readFileSync(join(root, 'docs/guide/http.md'), 'utf8');
const snippets = [...page.matchAll(/^```js\n([\s\S]*?)^```$/gm)].map(([, snippet = '']) => snippet);

/** The declarations of names that the snippets use and do not declare, by name. */
const surroundings: Readonly<Record<string, string>> = {
  limit: "import { limit } from 'sluice/http';",
  limitUpgrade: "import { limitUpgrade } from 'sluice/http';",
  addressKey: "import { addressKey } from 'sluice/http';",
  fastifyLimit: "import { fastifyLimit } from 'sluice/fastify';",
  Limiter: "import { Limiter } from 'sluice';",
  WebSocketServer: "import { WebSocketServer } from 'ws';",
  app: "import express from 'express'; const app = express();",
  fastify: "import Fastify from 'fastify'; const fastify = Fastify();",
  server: "import { createServer } from 'node:http'; const server = createServer();",
  limiter:
    "import { Limiter as Made } from 'sluice'; const limiter = Made.create({ ...Made.flashSale, keys: { max: 9 } });",
  everything: "import { Limiter as All } from 'sluice'; const everything = All.create(All.flashSale);",
  strict: "import { Limiter as Strict } from 'sluice'; const strict = Strict.create(Strict.flashSale);",
  key: "const key = { header: 'x-user' };",
  request: "const request = { ip: '192.0.2.1' };",
  exported: "const exported = async () => 'exported';",
  healthy: "const healthy = async () => 'fine';",
  Bun: 'const Bun = { serve() {} };',
};

const project = mkdtempSync(join(tmpdir(), 'sluice-http-docs-'));
beforeAll(() => {
  const modules = join(project, 'node_modules');
  mkdirSync(modules);
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (!name.startsWith('.')) symlinkSync(join(root, 'node_modules', name), join(modules, name));
  }
  symlinkSync(root, join(modules, 'sluice'));
});
afterAll(() => rmSync(project, { recursive: true, force: true }));

describe('docs/guide/http.md shows a program that runs:', () => {
  it.each(snippets.map((snippet) => [snippet.trim().split('\n')[0], snippet] as const))(
    '%s',
    async (_first, snippet) => {
      const needed = Object.entries(surroundings).filter(
        ([name]) =>
          new RegExp(`(?<![.\\w'/-])${name}\\b(?!:)`).test(snippet) &&
          !new RegExp(`(?:const |import \\{[^}]*)\\b${name}\\b`).test(snippet),
      );
      const file = join(project, `snippet-${snippets.indexOf(snippet)}.mjs`);
      const ready = needed.some(([name]) => name === 'fastify') ? 'await fastify.ready();' : '';
      writeFileSync(file, [...needed.map(([, declared]) => declared), snippet, ready].join('\n'));
      const { code, stderr } = await run(new URL(`file://${file}`));
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    },
  );
});

import { spawnSync } from 'node:child_process';
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
import { fileURLToPath, pathToFileURL } from 'node:url';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { directoryOf, modules } from '../installed.js';
import { nodes, run } from '../program.js';
import { endServers, noRedis, Server } from '../redis/servers.js';
import { surroundings } from './surroundings.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
/** Pages whose programs other tests run: with several Nodes, or for the errors that they throw. */
const elsewhere =
  /^(?:node_modules|reference|errors)\/|^guide\/(?:bundlers|runtimes|testing|redis-sale)\.md$/;

/** The newest Node.js, if it has node:sqlite. */
const withSqlite = nodes.findLast(({ node }) => {
  const { stdout } = spawnSync(node, ['-p', 'process.versions.sqlite'], { encoding: 'utf8' });
  return stdout.trim() !== 'undefined';
})?.node;

interface Snippet {
  /** The name of its file. */
  readonly name: string;
  readonly isTypeScript: boolean;
  readonly text: string;
}
interface Page {
  readonly path: string;
  readonly snippets: readonly Snippet[];
  /** What the page says that programs print: their names, and the lines. */
  readonly printed: ReadonlyMap<string, string>;
}

const pages: readonly Page[] = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.md') && !elsewhere.test(path))
  .map((path) => {
    const text = readFileSync(join(root, 'docs', path), 'utf8');
    const snippets = [...text.matchAll(/^```(js|ts)\n([\s\S]*?)^```$/gm)].map(
      ([, language, snippet = ''], i): Snippet => ({
        name: (/^\/\/ ([\w-]+\.(?:mjs|js|ts))\b/.exec(snippet)?.[1] ?? `snippet-${i + 1}.js`).replace(
          '.ts',
          '.js',
        ),
        isTypeScript: language === 'ts',
        text: snippet,
      }),
    );
    const consoles = text.matchAll(/^```console\n\$ (?:\w+=\S+ )*node (\S+\.mjs)\n([\s\S]*?)^```$/gm);
    return {
      path,
      snippets,
      printed: new Map([...consoles].map(([, name = '', lines = '']) => [name, lines])),
    };
  })
  .filter(({ snippets }) => snippets.length > 0);

/** A reader's project: a directory for each page, below a node_modules. */
const project = mkdtempSync(join(tmpdir(), 'sluice-docs-'));
beforeAll(() => {
  const here = join(project, 'node_modules');
  mkdirSync(here);
  for (const name of new Set(modules.flatMap((directory) => readdirSync(directory)))) {
    if (!name.startsWith('.')) symlinkSync(directoryOf(name), join(here, name));
  }
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
});
afterAll(async () => {
  await endServers();
  rmSync(project, { recursive: true, force: true });
});

/** Returns the program for a snippet: with the names that it uses and does not declare, and as JavaScript. */
function programOf(page: Page, { text, isTypeScript }: Snippet): string {
  const { needed, after } = surroundings(page.path, text);
  // A snippet that returns is the body of a function.
  const body = /^(?:if .*)?return /m.test(text) ? `await (async () => {\n${text}})();` : text;
  const whole = [...needed, body, ...after].join('\n');
  if (!isTypeScript) return whole;
  const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext };
  return ts.transpileModule(whole, { compilerOptions }).outputText;
}

describe.each(pages)('docs/$path', (page) => {
  const directory = join(project, page.path.replaceAll('/', '-'));
  const needsRedis = page.path === 'guide/redis.md';
  beforeAll(async () => {
    if (needsRedis && !noRedis) process.env['REDIS_URL'] = `redis://127.0.0.1:${(await Server.start()).port}`;
    mkdirSync(directory);
    writeFileSync(join(directory, 'quiet.js'), 'export default function handle() {}');
    for (const snippet of page.snippets) {
      writeFileSync(join(directory, snippet.name), programOf(page, snippet));
    }
  });
  // A program with a name that a page runs runs the other ones of that page, too.
  const isNamed = ({ name }: Snippet) => !name.startsWith('snippet-');
  const started = page.snippets.filter(
    (snippet) => page.printed.size === 0 || !isNamed(snippet) || page.printed.has(snippet.name),
  );

  it.concurrent.for(started)('shows a program that runs: $name', async ({ name, text }, { skip }) => {
    const node = text.includes('sqliteStore') ? withSqlite : process.execPath;
    if (needsRedis && noRedis) skip('redis-server is not installed');
    if (node === undefined) skip('SLUICE_NODES names no Node.js with node:sqlite');
    const file = pathToFileURL(join(directory, name));
    const ended = await run(file, [], { directory, execArgv: ['--no-warnings'], ...(node && { node }) });
    const shown = page.printed.get(name);
    const { code, stderr } = ended;
    const stdout = shown === undefined ? undefined : ended.stdout;
    expect({ code, stderr, stdout }, ended.stdout).toEqual({ code: 0, stderr: '', stdout: shown });
  });
});

it('docs/guide/records.md lists every field type as it is', async () => {
  const sluice = await import('sluice');
  const text = readFileSync(join(root, 'docs/guide/records.md'), 'utf8');
  const rows = [...text.matchAll(/^\| `([^`]+)` \| (.+) \| (\w+) \| (\d+) \|$/gm)];
  const names = Object.entries(sluice).filter(([name, value]) => {
    const isPlain = typeof value === 'object' && value !== null && 'accepts' in value;
    return isPlain || ['utf8', 'bytes', 'json', 'oneOf', 'traceContext'].includes(name);
  });
  expect(rows.map(([, code = '']) => code.replace(/\(.*/, '')).sort()).toEqual(
    names.map(([name]) => name).sort(),
  );
  for (const [, code = '', accepts = '', type, size] of rows) {
    const field = new Function('sluice', `return sluice.${code}`)(sluice);
    expect(
      { accepts: field.accepts.startsWith(accepts), type: field.typeOf, size: field.bytes },
      code,
    ).toEqual({
      accepts: true,
      type,
      size: Number(size),
    });
  }
});

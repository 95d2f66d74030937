import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { listFiles } from '../../scripts/files.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const pages = listFiles().filter((name) => /^(?:docs\/.*|[^/]*)\.md$/.test(name));

/** Links into the repository are absolute in README.md, so that they also lead somewhere from the page on npm. */
const { repository: source } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const repository = `${source.url.replace(/^git\+|\.git$/g, '')}/blob/main/`;

it('README.md has absolute links only, and uses each of them', () => {
  const text = readFileSync(join(root, 'README.md'), 'utf8').replace(/^```[\s\S]*?^```$/gm, '');
  const definition = /^\[([^\]]+)\]: (\S+)$/gm;
  const named = new Map([...text.matchAll(definition)].map(([, name = '', target = '']) => [name, target]));
  expect(named.size).toBeGreaterThan(20);
  for (const target of named.values()) expect(target.startsWith(repository), target).toBe(true);
  const prose = text.replace(definition, '');
  expect(prose).not.toMatch(/\]\((?!https:)/);
  const used = [...prose.matchAll(/\[([^\]]+)\](?:\[([\w-]+)\])?/g)].map(([, shown = '', name = shown]) =>
    name.toLowerCase(),
  );
  expect([...new Set(used)].sort()).toEqual([...named.keys()].sort());
});

/** Returns the anchors that GitHub makes of a page's headings. */
function anchors(page: string): string[] {
  const headings = readFileSync(page, 'utf8').matchAll(/^#+ (.*)$/gm);
  return [...headings].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
}

describe('links', () => {
  it.each(pages)('of %s lead somewhere', (page) => {
    const text = readFileSync(join(root, page), 'utf8').replace(/^```[\s\S]*?^```$/gm, '');
    const inline = [...text.matchAll(/\]\(([^)\s]+)\)/g)];
    const named = [...text.matchAll(/^\[[^\]]+\]: (\S+)$/gm)];
    for (const [, target = ''] of [...inline, ...named]) {
      if (/^https?:/.test(target) && !target.startsWith(repository)) continue;
      const [path = '', anchor] = target.split('#');
      const file = path.startsWith(repository)
        ? join(root, path.slice(repository.length))
        : join(root, path === '' ? page : join(dirname(page), path));
      expect(existsSync(file), `${page}: ${target}`).toBe(true);
      if (anchor !== undefined) expect(anchors(file), `${page}: ${target}`).toContain(anchor);
    }
  });
});

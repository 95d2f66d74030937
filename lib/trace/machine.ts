/** What can be read of this machine. */
import { accessSync, constants, existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

/** Why something cannot be traced, and what to do about it. */
export class Unavailable extends Error {
  constructor(
    what: string,
    readonly fix: string,
  ) {
    super(what);
  }
}

/**
 * Returns a text of another program without the characters that control a terminal: threads and files may have any
 * name.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
}

/** The files of this machine. Tests give another `root` and another `path`. */
export class Machine {
  constructor(
    readonly root: string = '/',
    readonly path: string = process.env['PATH'] ?? '',
    readonly platform: string = process.platform,
  ) {}

  /** Returns the content of a file; undefined if it cannot be read. */
  read(file: string): string | undefined {
    return attempt(() => readFileSync(join(this.root, file), 'utf8'));
  }
  /** Returns the names in a directory; none if it cannot be read. */
  list(directory: string): string[] {
    return attempt(() => readdirSync(join(this.root, directory))) ?? [];
  }
  /** Returns where a symbolic link points to. */
  link(file: string): string | undefined {
    return attempt(() => readlinkSync(join(this.root, file)));
  }
  has(file: string): boolean {
    return existsSync(join(this.root, file));
  }
  /** Returns the path of a program, as a shell would find it. */
  find(name: string): string | undefined {
    const directories = this.path.split(':').filter((directory) => directory !== '');
    return directories
      .map((directory) => join(directory, name))
      .find((file) => attempt(() => accessSync(file, constants.X_OK) ?? true) === true);
  }
}

function attempt<T>(what: () => T): T | undefined {
  try {
    return what();
  } catch {
    return undefined;
  }
}

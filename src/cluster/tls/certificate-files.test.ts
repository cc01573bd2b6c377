import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { certificates } from '../../../test/support/wire/links.ts';
import type { LinkCertificates } from '../../wire/security.ts';
import { CertificateFiles } from './certificate-files.ts';
import { readCertificates } from './certificates.ts';

const FIXTURES = new URL('../../../test/fixtures/tls/', import.meta.url);
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'inserve-certificates-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

/** Copies the files of an authority into a folder. */
function put(of: 'fleet' | 'other', into = folder): void {
  for (const [from, to] of [
    [`${of}.pem`, 'tls.crt'],
    [`${of}.key`, 'tls.key'],
    [`${of}-ca.pem`, 'ca.crt'],
  ] as const)
    copyFileSync(new URL(from, FIXTURES), join(into, to));
}

function paths(at = folder): LinkCertificates {
  return {
    cert: join(at, 'tls.crt'),
    key: pathToFileURL(join(at, 'tls.key')).href,
    ca: [join(at, 'ca.crt')],
  };
}

/** Follows files until the test ends; resolves with what they become. */
function following(given: LinkCertificates): { next(): Promise<LinkCertificates | Error> } & Disposable {
  const seen: Array<LinkCertificates | Error> = [];
  let wake: (() => void) | undefined;
  const add = (news: LinkCertificates | Error): void => {
    seen.push(news);
    wake?.();
  };
  const files = new CertificateFiles(given, add, (error) => add(error as Error));
  return {
    async next() {
      while (seen.length === 0)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      return seen.shift() as LinkCertificates | Error;
    },
    [Symbol.dispose]: () => files.close(),
  };
}

function expected(of: 'fleet' | 'other'): object {
  const { cert, key, ca } = certificates(of);
  return { cert, key, ca: [ca] };
}

describe('certificates in files', () => {
  test('are read, beside such that are given as PEM', () => {
    put('fleet');
    expect(readCertificates(paths())).toEqual(expected('fleet'));
    const text = String(certificates('fleet').ca);
    expect(readCertificates({ ...paths(), ca: text }).ca).toEqual([text]);
  });

  test('that are not there are named, a key that is no path is not', () => {
    put('fleet');
    expect(() => readCertificates({ ...paths(), cert: 'no.pem' })).toThrow(/fleet\.tls\.cert: got .*no\.pem/);
    const broken = 'MIIEvQIBADANBg\nkqhkiG9w0BAQEF';
    const reading = (): unknown => readCertificates({ ...paths(), key: broken });
    expect(reading).toThrow(expect.objectContaining({ code: 'SERVE_INVALID_OPTION' }));
    expect(reading).not.toThrow(/MIIEvQ/);
  });

  test('are read again when they are written anew', async () => {
    put('fleet');
    using files = following(paths());
    put('other');
    expect(await files.next()).toEqual(expected('other'));
  });

  test('are read again when others take their place', async () => {
    put('fleet');
    using files = following(paths());
    const next = join(folder, 'next');
    mkdirSync(next);
    put('other', next);
    for (const name of ['tls.crt', 'tls.key', 'ca.crt']) renameSync(join(next, name), join(folder, name));
    expect(await files.next()).toEqual(expected('other'));
  });

  test('are read again when a link of their folder leads elsewhere, as in Kubernetes', async () => {
    for (const [name, of] of [
      ['..1', 'fleet'],
      ['..2', 'other'],
      ['..3', 'fleet'],
    ] as const) {
      mkdirSync(join(folder, name));
      put(of, join(folder, name));
    }
    symlinkSync('..1', join(folder, '..data'));
    for (const name of ['tls.crt', 'tls.key', 'ca.crt'])
      symlinkSync(join('..data', name), join(folder, name));
    using files = following(paths());
    for (const [name, of] of [
      ['..2', 'other'],
      ['..3', 'fleet'],
    ] as const) {
      symlinkSync(name, join(folder, '..tmp'));
      renameSync(join(folder, '..tmp'), join(folder, '..data'));
      expect(await files.next()).toEqual(expected(of));
    }
  });

  test('that do not fit together change nothing, and are told', async () => {
    put('fleet');
    using files = following(paths());
    copyFileSync(new URL('other.key', FIXTURES), join(folder, 'tls.key'));
    expect(await files.next()).toMatchObject({ message: expect.stringContaining('key values mismatch') });
    writeFileSync(join(folder, 'tls.key'), '');
    put('other');
    expect(await files.next()).toEqual(expected('other'));
  });
});

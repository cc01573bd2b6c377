import { readFileSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { peek } from '../validation/peek.ts';
import { messageOf } from '../values/describe-value.ts';
import { isOwnFile } from './own-files.ts';

/** Position in a module that could not be imported. */
export interface ImportPlace {
  /** URL or path of the file. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** Like `file:///app/model.ts:12`, with the column where it is known. */
  readonly text: string;
  /** Whether Node could not parse or link the file; otherwise its code ran. */
  readonly isParsed: boolean;
}

/** Node puts the position of code that it cannot parse or link before the stack: `file:///app/model.ts:12`. */
const PARSED_AT = /^((?:file:\/\/|\/|[A-Za-z]:\\).*):(\d+)$/;
/** Matches a stack frame: `at load (file:///app/model.ts:12:5)`, `at file:///app/model.ts:12:5`. */
const FRAME = /^\s+at (?:.*\()?((?:file:\/\/|\/|[A-Za-z]:\\)[^()]*):(\d+):(\d+)\)?$/;
/** The end of a message about a module that was not found, with the file that imports or requires it. */
const IMPORTED_FROM = /(?:\s+imported from |\nRequire stack:\n- )(\S.*)[\s\S]*$/;
/** An import with its specifier. */
const IMPORT = /\b(?:from|import|require)\s*\(?\s*(["'])((?:(?!\1)[^\\\n])+)\1/g;
/** The package in whose package.json a path was not found. */
const PACKAGE = /node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+)[\\/]package\.json/;

/** The first position outside of this package that an error of an import names, or that of the import that was not found. */
export function importPlace(error: unknown): ImportPlace | undefined {
  const stack = peek(error, 'stack');
  const lines = typeof stack === 'string' ? stack.split('\n') : [];
  const [, file, line] = PARSED_AT.exec(lines[0] ?? '') ?? [];
  if (file !== undefined) return placeAt(file, Number(line), true);
  const message = messageOf(error);
  const importer = importerOf(message);
  // The stack of such an error begins where the library imports.
  return importer === undefined ? placeOfFrame(lines) : placeOfImport(message, importer);
}

/** The file whose import was not found, by the message of the error, as a URL. */
export function importerOf(message: string): string | undefined {
  const from = IMPORTED_FROM.exec(message)?.[1];
  return from === undefined ? undefined : urlOf(from);
}

/** The message of an error of an import, without the file that imports where the place names it. */
export function importMessage(error: unknown, place: ImportPlace | undefined): string {
  const message = messageOf(error);
  const importer = importerOf(message);
  if (place === undefined && (importer === undefined || !isOwnFile(importer))) return message;
  return message.replace(IMPORTED_FROM, '');
}

/** The text of a file, given by its path or URL; empty if it cannot be read. */
export function sourceOf(file: string): string {
  try {
    return readFileSync(file.startsWith('file:') ? fileURLToPath(file) : file, 'utf8');
  } catch {
    return '';
  }
}

function urlOf(file: string): string {
  return isAbsolute(file) ? pathToFileURL(file).href : file;
}

function placeOfFrame(lines: readonly string[]): ImportPlace | undefined {
  for (const frame of lines) {
    const [, file, line, column] = FRAME.exec(frame) ?? [];
    if (file !== undefined && !isOwnFile(file)) return placeAt(file, Number(line), false, column);
  }
  return undefined;
}

/** Node tells which file imports a module that is not found, but not on which line. */
function placeOfImport(message: string, importer: string): ImportPlace | undefined {
  if (isOwnFile(importer)) return undefined;
  const source = sourceOf(importer);
  for (const { 2: specifier = '', index } of source.matchAll(IMPORT)) {
    if (!isAbout(message, specifier, importer)) continue;
    const line = source.slice(0, index).split('\n').length;
    return placeAt(importer, line, true);
  }
  return undefined;
}

function isAbout(message: string, specifier: string, importer: string): boolean {
  const inPackage = PACKAGE.exec(message)?.[1]?.replaceAll('\\', '/');
  const missing = /["'](.+?)["']/.exec(message)?.[1] ?? '';
  if (inPackage !== undefined) {
    const subpath = missing.startsWith('./') ? missing.slice(1) : '';
    return specifier === inPackage + subpath;
  }
  if (!isAbsolute(missing)) return specifier === missing || specifier.startsWith(`${missing}/`);
  const isPath = /^(?:\.{0,2}\/|file:)/.test(specifier);
  return isPath && URL.parse(specifier, importer)?.pathname === pathToFileURL(missing).pathname;
}

function placeAt(file: string, line: number, isParsed: boolean, column?: string): ImportPlace {
  const text = column === undefined ? `${file}:${line}` : `${file}:${line}:${column}`;
  return { file, line, text, isParsed };
}

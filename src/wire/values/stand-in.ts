import { types } from 'node:util';
import { MARK, type MarkKind } from '../../values/marks.ts';
import { malformed } from '../wire-error.ts';

/**
 * Checks that a stand-in has the members that its revival reads. Stand-ins from threads are made by this library and
 * are not checked; stand-ins from a peer may hold anything.
 *
 * @throws WireError
 */
export function checkStandIn(standIn: object, mark: MarkKind): void {
  const member = (key: string): unknown =>
    Object.hasOwn(standIn, key) ? Reflect.get(standIn, key) : undefined;
  const isText = (key: string): boolean => typeof member(key) === 'string';
  const isFine =
    mark === MARK.error
      ? ['base', 'name', 'message'].every(isText) &&
        (member('stack') === undefined || isText('stack')) &&
        isRecord(member('data')) &&
        (member('errors') === undefined || Array.isArray(member('errors')))
      : mark === MARK.request
        ? isText('method') &&
          isText('url') &&
          areHeaders(member('headers')) &&
          (member('body') === undefined || types.isArrayBuffer(member('body')))
        : true;
  if (!isFine) throw malformed(`the stand-in of an object with the mark ${mark} lacks a member`);
}

function isRecord(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function areHeaders(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.every(
      (header) =>
        Array.isArray(header) && header.length === 2 && header.every((part) => typeof part === 'string'),
    )
  );
}

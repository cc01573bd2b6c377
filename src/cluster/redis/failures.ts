import { messageOf } from '../../values/describe-value.ts';
import { FleetStoreError, type StoreFailure } from '../fleet-store.ts';

/** By the first word of an error of Redis; a script's error names it, or holds that of the command. */
const FAILURES: readonly (readonly [pattern: RegExp, failure: StoreFailure])[] = [
  [/^(?:Command timed out|connect ETIMEDOUT)/, 'timeout'],
  [/\bOOM command not allowed/, 'out-of-memory'],
  [/^(?:-?READONLY)\b|\bREADONLY You can't write/, 'read-only'],
  [/\bNOPERM\b|No permissions? to/, 'no-permission'],
  [/\b(?:NOAUTH|WRONGPASS)\b/, 'no-authentication'],
  [/\bWRONGTYPE\b/, 'wrong-type'],
  [/\bMISCONF\b/, 'misconfigured'],
  [/\b(?:LOADING|MASTERDOWN|CLUSTERDOWN|MOVED|TRYAGAIN)\b/, 'loading'],
  [
    /Connection is closed|Stream isn't writeable|Cluster isn't ready|Cluster is ended|sentinels are unreachable|startup nodes|slots cache|E(?:CONNREFUSED|CONNRESET|PIPE|HOSTUNREACH|NETUNREACH|NOTFOUND)|EAI_AGAIN|max retries per request/,
    'unreachable',
  ],
];

/** Classifies an error of Redis or of the connection to it. */
export function toFailure(error: unknown): FleetStoreError {
  if (error instanceof FleetStoreError) return error;
  const message = messageOf(error);
  const failure = FAILURES.find(([pattern]) => pattern.test(message))?.[1] ?? 'other';
  return new FleetStoreError(failure, message, error);
}

/** Classifies a failed attempt to connect. Errors of TLS and of name servers have no common form. */
export function toConnectFailure(error: unknown): FleetStoreError {
  const failure = toFailure(error);
  return failure.failure === 'other' ? new FleetStoreError('unreachable', failure.message, error) : failure;
}

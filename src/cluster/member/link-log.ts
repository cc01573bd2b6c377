import { type LimitedLevel, LogLimiter } from '../../observe/log-limiter.ts';
import { messageOf } from '../../values/describe-value.ts';
import { FAULT, type Fault } from '../../wire/wire-error.ts';
import type { PeerAddress } from '../fleet-options.ts';

/** Failed dials in a row from which they are logged: an instance that has ended is dialled until the fleet knows it. */
const LOGGED_FAILURES = 3;

/** Descriptions of the faults of unproved peers in the log. */
const REFUSED: Readonly<Record<Fault, string>> = {
  [FAULT.unauthorized]: 'it did not prove that it knows the secret of the fleet',
  [FAULT.version]: 'it speaks another version of the protocol',
  [FAULT.late]: 'it did not prove itself in time',
  [FAULT.limit]: 'it sent too much data, or too many unproved connections are open',
  [FAULT.malformed]: 'it sent no complete handshake',
  [FAULT.depth]: 'it sent no complete handshake',
  [FAULT.extension]: 'it sent no complete handshake',
  [FAULT.frame]: 'it sent no complete handshake',
};

/** Logs failures of links, each kind at most once a minute for each peer, also during a flood of connections. */
export class LinkLog {
  readonly #log: LogLimiter;

  constructor(write: (level: LimitedLevel, fields: object, message: string) => void) {
    this.#log = new LogLimiter({
      debug: (fields, message) => write('debug', fields, message),
      info: (fields, message) => write('info', fields, message),
      warn: (fields, message) => write('warn', fields, message),
      error: (fields, message) => write('error', fields, message),
    });
  }

  /** A peer cannot be dialled. @param failures number of failures in a row */
  failed(peer: string, address: PeerAddress, error: Error, failures: number): void {
    const isUnauthorized = 'code' in error && error.code === 'SERVE_UNAUTHORIZED';
    if (!isUnauthorized && failures < LOGGED_FAILURES) return;
    const hint = isUnauthorized ? '; is fleet.secret the same on all instances?' : '';
    this.#write(
      'warn',
      peer,
      isUnauthorized ? 'unauthorized' : 'dial',
      address,
      `${messageOf(error)}${hint}`,
    );
  }

  /** An open link is gone. @param error undefined for an orderly end */
  closed(peer: string, address: PeerAddress, error: Error | undefined): void {
    if (error === undefined) this.#write('info', peer, 'closed', address, 'the link was closed');
    else this.#write('warn', peer, 'broken', address, `the link broke: ${messageOf(error)}`);
  }

  /** A connection was refused that came from an address. */
  refused(address: string, fault: Fault): void {
    const message = `a connection from ${address} was refused: ${REFUSED[fault]}`;
    this.#log.write('warn', ['refused', address, fault], { address, reason: fault }, message);
  }

  close(): void {
    this.#log.close();
  }

  #write(
    level: 'info' | 'warn',
    peer: string,
    cause: string,
    { host, port }: PeerAddress,
    what: string,
  ): void {
    const address = `${host}:${port}`;
    const fields = { instance: peer, address, reason: cause };
    this.#log.write(level, [cause, peer], fields, `instance ${peer} at ${address}: ${what}`);
  }
}

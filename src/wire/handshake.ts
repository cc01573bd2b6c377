import { randomBytes } from 'node:crypto';
import { ServeError } from '../errors.ts';
import { now } from '../time/clock.ts';
import { type Limit, limit } from '../time/timeout.ts';
import { Codec } from './codec.ts';
import { isSameProof, proofOf } from './keys.ts';
import { CLOSE_CODE } from './link.ts';
import type { LinkSocket } from './link-socket.ts';
import { headOf, messageHead } from './message.ts';
import { PEER_FRAME } from './peer-frames.ts';
import { LINK_MODE, type LinkSecurity } from './security.ts';
import { VIEWS_HERE } from './values/extension.ts';
import { FAULT, type Fault, malformed, WireError } from './wire-error.ts';

/** Protocol version of this release, which understands the previous version as well. */
export const PROTOCOL_VERSION = 1;

/** Maximum number of handshake bytes that are read from a peer. */
export const MAX_HANDSHAKE_BYTES = 1_024;

/** Time limit of a peer's proof, in ms. */
export const PROOF_TIMEOUT_MS = 3_000;

const NONCE_BYTES = 16;
const MAX_TEXT = 128;
const MAX_VERSION = 255;

/** An instance's introduction of itself. */
export interface Introduction {
  /** Protocol version, one byte. Default `PROTOCOL_VERSION` */
  readonly version?: number;
  readonly instance: string;
  /** Epoch, which rises with each start of the instance. */
  readonly epoch: number;
  /** Maximum size of a frame that the instance accepts, in bytes. */
  readonly maxPayload: number;
  /**
   * Number of the kinds of views (`VIEWS`) that the instance knows, from the first on. Default: the kinds of this
   * process
   */
  readonly views?: number;
}

/** A peer that has proved itself. */
export interface Session extends Required<Introduction> {
  readonly role: 'dialer' | 'listener';
  /** Version that both peers speak. */
  readonly version: number;
  /** Time between the greeting of this side and the answer to it, in ms: the round trip, and what the peer computed. */
  readonly rttMs: number;
}

export interface HandshakeOptions {
  readonly role: 'dialer' | 'listener';
  readonly self: Introduction;
  readonly security: LinkSecurity;
  /** Value that binds the proof to the TLS connection; empty without TLS. */
  readonly binding: string;
  /** Id of the dialled instance. */
  readonly expected?: string | undefined;
  /** Called in the turn of the last message, before the next message is read. */
  readonly onOpen: (session: Session) => void;
  /**
   * Called on failure; the connection is closed already.
   * @param isFoundHere false: the peer closed the connection
   */
  readonly onFailed: (error: Error, fault: Fault, isFoundHere: boolean) => void;
}

/** The fields of `hello` and `challenge`. */
interface Greeting extends Required<Introduction> {
  readonly nonce: string;
  /** Id of the key to prove. */
  readonly key: string;
}

/** Frames in the order of the handshake: hello from the dialer, challenge, proof, welcome. */
const { hello, challenge, proof, welcome } = PEER_FRAME;

/**
 * The version that two peers speak: the lower of their versions, which the other peer understands if it is at most one
 * less than its own.
 * @returns undefined if the peers have no common version
 */
export function commonVersion(a: number, b: number): number | undefined {
  return Math.abs(a - b) <= 1 ? Math.min(a, b) : undefined;
}

/**
 * Proves mutually that both peers know the secret, and agrees on a version. Where TLS has proved it with a pre-shared
 * key, the proofs are empty; the steps are the same.
 */
export function shakeHands(socket: LinkSocket, options: HandshakeOptions): void {
  new Handshake(socket, options).begin();
}

class Handshake {
  readonly #socket: LinkSocket;
  readonly #options: HandshakeOptions;
  readonly #codec = new Codec();
  readonly #own: Greeting;
  readonly #timer: Limit;
  #peer: Greeting | undefined = undefined;
  #expected: number;
  #bytes = 0;
  #isOver = false;
  #greetedAt = 0;
  #rttMs = 0;

  constructor(socket: LinkSocket, options: HandshakeOptions) {
    this.#socket = socket;
    this.#options = options;
    const { self, security, role } = options;
    const nonce = randomBytes(NONCE_BYTES).toString('hex');
    this.#own = { version: PROTOCOL_VERSION, views: VIEWS_HERE, ...self, nonce, key: security.own.id };
    this.#expected = role === 'dialer' ? challenge : hello;
    this.#timer = limit(
      PROOF_TIMEOUT_MS,
      () =>
        this.#fail(new WireError(FAULT.late, `the peer did not prove itself within ${PROOF_TIMEOUT_MS} ms`)),
      false,
    );
  }

  begin(): void {
    this.#socket.listen({
      message: (pieces) => this.#receive(pieces),
      closed: (error) => this.#closed(error),
    });
    if (this.#options.role === 'dialer') this.#greet(hello);
    // A dialer sends nothing behind its proof; a listener may, in the same read as the last message.
    else this.#socket.limitReading?.(MAX_HANDSHAKE_BYTES, () => this.#fail(tooMuch()));
  }

  #receive(pieces: readonly Uint8Array[]): void {
    if (this.#isOver) return;
    try {
      this.#step(this.#read(pieces));
    } catch (error) {
      this.#fail(error instanceof WireError ? error : malformed(String(error)));
    }
  }

  /** Reads the fields of the awaited frame. */
  #read(pieces: readonly Uint8Array[]): readonly unknown[] {
    for (const { length } of pieces) this.#bytes += length;
    if (this.#bytes > MAX_HANDSHAKE_BYTES) throw tooMuch();
    const { head, rest } = headOf(pieces);
    if (rest.length > 0) throw malformed('bytes follow a message of the handshake');
    const [kind, count, ...fields] = this.#codec.decode(head);
    if (kind !== this.#expected)
      throw new WireError(FAULT.unauthorized, `frame ${String(kind)} came before the proof of the peer`);
    if (count !== fields.length)
      throw malformed('a frame of the handshake does not have its declared fields');
    return fields;
  }

  #step(fields: readonly unknown[]): void {
    switch (this.#expected) {
      case hello:
        this.#meet(fields);
        this.#greet(challenge);
        this.#expected = proof;
        break;
      case challenge:
        this.#rttMs = now() - this.#greetedAt;
        this.#meet(fields);
        this.#send([proof, 1, this.#proofOf('dialer')]);
        this.#expected = welcome;
        break;
      case proof:
        this.#rttMs = now() - this.#greetedAt;
        this.#check(fields, 'dialer');
        this.#send([welcome, 1, this.#proofOf('listener')]);
        this.#open();
        break;
      default:
        this.#check(fields, 'listener');
        this.#open();
    }
  }

  #greet(kind: number): void {
    const { version, instance, epoch, nonce, maxPayload, views } = this.#own;
    // The dialer chooses the key; the answer names the same key.
    const { key } = this.#peer ?? this.#own;
    this.#greetedAt = now();
    this.#send([kind, 7, version, instance, epoch, nonce, maxPayload, views, key]);
  }

  /** Takes the peer's introduction, which is not proved yet. */
  #meet(fields: readonly unknown[]): void {
    const peer = greetingOf(fields);
    if (commonVersion(this.#own.version, peer.version) === undefined) {
      const ours = this.#own.version;
      throw new WireError(
        FAULT.version,
        `the peer speaks protocol ${peer.version}, this instance ${ours} and ${ours - 1}`,
      );
    }
    if (peer.nonce === this.#own.nonce)
      throw new WireError(FAULT.unauthorized, 'the peer repeats the greeting of this instance');
    if (peer.instance === this.#own.instance)
      throw new WireError(FAULT.unauthorized, 'the peer is this instance');
    const { expected, role, security } = this.#options;
    if (expected !== undefined && expected !== peer.instance)
      throw new WireError(FAULT.unauthorized, `instance ${peer.instance} answers in place of ${expected}`);
    if (security.keyOf(peer.key) === undefined || (role === 'dialer' && peer.key !== this.#own.key))
      throw new WireError(FAULT.unauthorized, 'the key is unknown');
    this.#peer = peer;
  }

  /** Returns the proof of the secret; empty where TLS has proved the secret already. */
  #proofOf(role: 'dialer' | 'listener'): string {
    const { security, binding } = this.#options;
    if (security.mode === LINK_MODE.preShared) return '';
    const isDialer = this.#options.role === 'dialer';
    const peer = this.#peer as Greeting;
    const [dialer, listener] = isDialer ? [this.#own, peer] : [peer, this.#own];
    const key = security.keyOf(dialer.key);
    if (key === undefined) throw new WireError(FAULT.unauthorized, 'the key is unknown');
    const parts = [dialer, listener].flatMap(({ version, instance, epoch, nonce, maxPayload, views }) =>
      [version, instance, epoch, nonce, maxPayload, views].map(String),
    );
    return proofOf(key.proof, ['inserve link', role, security.mode, dialer.key, ...parts, binding]);
  }

  #check([given, ...more]: readonly unknown[], role: 'dialer' | 'listener'): void {
    if (more.length > 0) throw malformed('a proof has more than one field');
    if (typeof given !== 'string' || !isSameProof(given, this.#proofOf(role)))
      throw new WireError(FAULT.unauthorized, 'the peer does not know the secret');
  }

  #send(slots: readonly unknown[]): void {
    this.#socket.send([messageHead(this.#codec.encode(slots))]);
  }

  #open(): void {
    this.#end();
    this.#socket.limitReading?.(undefined);
    const { version, instance, epoch, maxPayload, views } = this.#peer as Greeting;
    this.#options.onOpen({
      role: this.#options.role,
      version: commonVersion(this.#own.version, version) as number,
      instance,
      epoch,
      maxPayload,
      views,
      rttMs: this.#rttMs,
    });
  }

  #fail(error: WireError): void {
    if (this.#isOver) return;
    this.#end();
    this.#socket.close(codeOf(error.fault), error.fault);
    this.#options.onFailed(toServeError(error), error.fault, true);
  }

  #closed(error: Error | undefined): void {
    if (this.#isOver) return;
    this.#end();
    const fault = faultOf(error);
    this.#options.onFailed(
      toServeError(new WireError(fault, error?.message ?? 'the peer closed the link')),
      fault,
      error instanceof WireError,
    );
  }

  #end(): void {
    this.#isOver = true;
    this.#timer.cancel();
  }
}

function tooMuch(): WireError {
  return new WireError(FAULT.limit, `the peer sent more than ${MAX_HANDSHAKE_BYTES} bytes before its proof`);
}

function greetingOf(fields: readonly unknown[]): Greeting {
  const [version, instance, epoch, nonce, maxPayload, views, key, ...more] = fields;
  if (!isCount(version, MAX_VERSION) || !isCount(epoch) || !isCount(maxPayload) || !isCount(views))
    throw malformed('a greeting lacks a number');
  if (!isText(instance) || !isText(nonce) || nonce.length < NONCE_BYTES || !isText(key) || more.length > 0)
    throw malformed('a greeting lacks a name');
  return { version, instance, epoch, nonce, maxPayload, views, key };
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_TEXT;
}

function isCount(value: unknown, max: number = Number.MAX_SAFE_INTEGER): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= max;
}

function codeOf(fault: Fault): number {
  if (fault === FAULT.unauthorized) return CLOSE_CODE.unauthorized;
  if (fault === FAULT.version) return CLOSE_CODE.version;
  return fault === FAULT.late ? CLOSE_CODE.late : CLOSE_CODE.fault;
}

/** Returns the fault that a closing peer reports of this side. */
function faultOf(error: Error | undefined): Fault {
  if (error instanceof WireError) return error.fault;
  const code: unknown = error === undefined ? undefined : Reflect.get(error, 'code');
  if (code === CLOSE_CODE.version) return FAULT.version;
  return code === CLOSE_CODE.unauthorized ? FAULT.unauthorized : FAULT.malformed;
}

function toServeError(error: WireError): ServeError {
  const code = error.fault === FAULT.unauthorized ? 'SERVE_UNAUTHORIZED' : 'SERVE_UNAVAILABLE';
  return new ServeError(code, `no link: ${error.message}`, { cause: error });
}

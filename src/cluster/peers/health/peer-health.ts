import type { ThreadTime, Timer } from '../../../time/clock.ts';
import { type Ejection, PeerEjection, STEADY_MS } from './ejection.ts';

/** Time and timers of the health of peers. */
export type HealthTime = Pick<ThreadTime, 'now' | 'after' | 'cancel'>;

/** One peer as `PeerHealth` follows it. */
export interface PeerStanding {
  /** Distinguishes the peer from the others of the thread. */
  readonly name: string;
  /** Whether the peer gets no calls. */
  readonly isOut: boolean;
}

class Standing implements PeerStanding {
  readonly name: string;
  readonly onReturn: () => void;
  isOut = false;
  /** Time at which the open link opened; undefined while no link is open. */
  openedAt: number | undefined = undefined;

  constructor(name: string, onReturn: () => void) {
    this.name = name;
    this.onReturn = onReturn;
  }
}

/**
 * Decides for the peers of one thread which of them get calls. A peer is taken out only when a link fails: it returns when
 * its ejection ends or is ignored, and stays while its link holds, whatever happens to the others.
 */
export class PeerHealth {
  readonly #ejection = new PeerEjection();
  readonly #standings = new Set<Standing>();
  readonly #time: HealthTime;
  readonly #onChange: () => void;
  #ejections = 0;
  #followed = 0;
  #timer: Timer | undefined = undefined;

  /** @param onChange other peers than before get no calls */
  constructor(time: HealthTime, onChange: () => void = () => {}) {
    this.#time = time;
    this.#onChange = onChange;
  }

  /** Number of ejections so far. */
  get ejections(): number {
    return this.#ejections;
  }

  /** Reason and end of a peer's ejection; undefined if it may get calls. */
  ejectionOf({ name, isOut }: PeerStanding): Ejection | undefined {
    return isOut ? this.#ejection.ejectionOf(name) : undefined;
  }

  /** Follows a peer. @param onReturn the peer may get calls again */
  follow(onReturn: () => void): PeerStanding {
    const name = `peer-${this.#followed++}`;
    const standing = new Standing(name, onReturn);
    this.#ejection.add(name);
    this.#standings.add(standing);
    this.#review();
    return standing;
  }

  /** Follows a peer no longer. */
  forget(standing: PeerStanding): void {
    if (!this.#standings.delete(standing as Standing)) return;
    this.#ejection.remove(standing.name);
    this.#review();
  }

  /** No link to the peer could be opened. */
  failed({ name }: PeerStanding): void {
    this.#counted(this.#ejection.failed(name, this.#time.now()));
  }

  /** A handshake with the peer succeeded. */
  opened(standing: PeerStanding): void {
    const at = this.#time.now();
    (standing as Standing).openedAt = at;
    this.#ejection.proved(standing.name, at);
    this.#review();
  }

  /** The open link to the peer is gone. @param isFault false: one of the sides closed it in order */
  closed(standing: PeerStanding, isFault: boolean): void {
    const at = this.#time.now();
    const { openedAt = at } = standing as Standing;
    (standing as Standing).openedAt = undefined;
    if (isFault) this.#counted(this.#ejection.broke(standing.name, at - openedAt, at));
  }

  close(): void {
    this.#time.cancel(this.#timer);
    this.#timer = undefined;
    this.#standings.clear();
  }

  #counted(isEjected: boolean): void {
    if (isEjected) this.#ejections++;
    this.#review();
  }

  /** Something has changed, or time has passed. */
  #review(): void {
    const at = this.#time.now();
    const returned: Standing[] = [];
    let hasChanged = false;
    let next = Infinity;
    for (const { name, openedAt = Infinity } of this.#standings)
      if (openedAt + STEADY_MS <= at) this.#ejection.held(name, at);
    const out = this.#ejection.out(at);
    for (const standing of this.#standings) {
      const { name, openedAt } = standing;
      const isOut = out.has(name);
      if (isOut !== standing.isOut && (!isOut || openedAt === undefined)) {
        standing.isOut = isOut;
        hasChanged = true;
        if (!isOut) returned.push(standing);
      }
      const ejection = this.#ejection.ejectionOf(name);
      if (ejection !== undefined) next = Math.min(next, ejection.until, (openedAt ?? Infinity) + STEADY_MS);
    }
    this.#time.cancel(this.#timer);
    this.#timer = next === Infinity ? undefined : this.#time.after(next - at, () => this.#review());
    this.#timer?.unref();
    for (const { onReturn } of returned) onReturn();
    if (hasChanged) this.#onChange();
  }
}

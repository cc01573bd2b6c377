/** Names of a fleet's keys in its store, which share one hash slot. */
export class FleetKeys {
  /** Prefix of every key and channel, which an access list of Redis has to allow. */
  readonly prefix: string;

  /** @param fleet name of the fleet, without braces */
  constructor(fleet: string) {
    this.prefix = `inserve:{${fleet}}:`;
  }

  get lease(): string {
    return `${this.prefix}lease`;
  }

  get members(): string {
    return `${this.prefix}members`;
  }

  get versions(): string {
    return `${this.prefix}versions`;
  }

  get overrides(): string {
    return `${this.prefix}overrides`;
  }

  /** Channel on which just written numbers are announced. */
  get hint(): string {
    return `${this.prefix}hint`;
  }

  record(id: string): string {
    return `${this.prefix}m:${id}`;
  }

  declaration(hash: string): string {
    return `${this.prefix}d:${hash}`;
  }

  /** @param page 0 holds the number and the token as well */
  plan(page: number = 0): string {
    return page === 0 ? `${this.prefix}plan` : this.page(page);
  }

  /** Returns the key of a further page of a plan; without a page, the common prefix of these keys. */
  page(page: number | ''): string {
    return `${this.prefix}plan:${page}`;
  }
}

/** The number of HTTP requests that were answered alike. */
export interface HttpSeries {
  readonly app: string;
  readonly deployment: string;
  /** The path at which the host serves the app, never a path that a client sent; empty if no app was found. */
  readonly route: string;
  readonly method: string;
  readonly statusCode: string;
  readonly count: number;
}

/** Clients may send any method: methods that are not listed are counted together as `other`. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'other'];
const METHOD_INDEX: ReadonlyMap<string | undefined, number> = new Map(
  METHODS.map((method, index) => [method, index]),
);
const OTHER_METHOD = METHODS.length - 1;
const OTHER_STATUS = 0;
const STATUSES = 1_000;

/** Counts the answered requests of one ingress. */
export class IngressCounts {
  readonly #byRoute = new Map<string, Map<number, { count: number }>>();

  record(route: string, method: string | undefined, status: number): void {
    let counts = this.#byRoute.get(route);
    if (counts === undefined) {
      counts = new Map();
      this.#byRoute.set(route, counts);
    }
    const isStatus = Number.isInteger(status) && status >= 100 && status <= 599;
    const key = (METHOD_INDEX.get(method) ?? OTHER_METHOD) * STATUSES + (isStatus ? status : OTHER_STATUS);
    const known = counts.get(key);
    if (known === undefined) counts.set(key, { count: 1 });
    else known.count++;
  }

  *read(): Generator<Pick<HttpSeries, 'route' | 'method' | 'statusCode' | 'count'>> {
    for (const [route, counts] of this.#byRoute) {
      for (const [key, { count }] of counts) {
        const status = key % STATUSES;
        const method = METHODS[Math.floor(key / STATUSES)] as string;
        yield { route, method, statusCode: status === OTHER_STATUS ? 'other' : String(status), count };
      }
    }
  }
}

/** The number of ended apps whose counts are kept; beyond it the app that ended first is forgotten. */
const MOST_ENDED = 100;

/** The counts of one ingress, with the names that they are reported under. */
interface Ingress {
  readonly app: string;
  readonly deployment: string;
  readonly counts: IngressCounts;
}

/** Counts the HTTP requests that one instance answered. */
export class HttpCounts {
  readonly #ingresses = new Map<string, Ingress>();
  /** Apps that ended, in the order in which they ended. */
  readonly #ended = new Set<string>();
  /** Counts of requests whose path no app serves. */
  readonly unrouted: IngressCounts = this.of('', '');

  of(app: string, deployment: string): IngressCounts {
    this.#ended.delete(app);
    const key = `${app}/${deployment}`;
    const known = this.#ingresses.get(key);
    if (known !== undefined) return known.counts;
    const counts = new IngressCounts();
    this.#ingresses.set(key, { app, deployment, counts });
    return counts;
  }

  /** Notes that an app has ended. Its counts stay and continue when another app gets its name, so that no counter falls. */
  ended(app: string): void {
    this.#ended.delete(app);
    this.#ended.add(app);
    const [oldest = ''] = this.#ended;
    if (this.#ended.size <= MOST_ENDED) return;
    this.#ended.delete(oldest);
    for (const [key, ingress] of this.#ingresses) if (ingress.app === oldest) this.#ingresses.delete(key);
  }

  read(): HttpSeries[] {
    return [...this.#ingresses.values()].flatMap(({ app, deployment, counts }) =>
      [...counts.read()].map((series) => ({ app, deployment, ...series })),
    );
  }
}

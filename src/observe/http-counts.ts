/** HTTP requests that were answered alike. */
export interface HttpSeries {
  readonly app: string;
  readonly deployment: string;
  /** Where the host serves the app, never what the client asked for; empty if no app was found. */
  readonly route: string;
  readonly method: string;
  readonly statusCode: string;
  readonly count: number;
}

/** Clients may send any method, and apps answer with any status: what is not listed is counted as one. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'other'];
const METHOD_INDEX: ReadonlyMap<string | undefined, number> = new Map(
  METHODS.map((method, index) => [method, index]),
);
const OTHER_METHOD = METHODS.length - 1;
const OTHER_STATUS = 0;
const STATUSES = 1_000;

/** The answered requests of one ingress. */
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

/** Apps that ended and of which the counts are kept; beyond that the one that ended first gives way. */
const MOST_ENDED = 100;

/** The HTTP requests that one instance answered. */
export class HttpCounts {
  readonly #ingresses = new Map<string, IngressCounts>();
  /** Apps that ended, the first of them first. */
  readonly #ended = new Set<string>();
  /** Of requests for which there is no app. */
  readonly unrouted: IngressCounts = this.of('', '');

  of(app: string, deployment: string): IngressCounts {
    this.#ended.delete(app);
    const key = `${app}/${deployment}`;
    const known = this.#ingresses.get(key);
    if (known !== undefined) return known;
    const made = new IngressCounts();
    this.#ingresses.set(key, made);
    return made;
  }

  /** The app has ended. What it counted stays, and goes on when another one gets its name: no counter falls. */
  ended(app: string): void {
    this.#ended.delete(app);
    this.#ended.add(app);
    const [oldest = ''] = this.#ended;
    if (this.#ended.size <= MOST_ENDED) return;
    this.#ended.delete(oldest);
    for (const key of this.#ingresses.keys()) if (key.startsWith(`${oldest}/`)) this.#ingresses.delete(key);
  }

  read(): HttpSeries[] {
    return [...this.#ingresses].flatMap(([key, counts]) => {
      const [app = '', deployment = ''] = key.split('/');
      return [...counts.read()].map((series) => ({ app, deployment, ...series }));
    });
  }
}

import { type BatchSeries, SIZE_BOUNDS, WAIT_BOUNDS_MS } from '../batching/batch-stats.ts';
import { methodLabel } from '../channel/method-names.ts';
import { SHEDDING_LEVELS, type SheddingLevel } from '../controller/lag-level.ts';
import { ServeError } from '../errors.ts';
import { type CallSeries, DURATION_BOUNDS_MS } from '../handle/call/call-stats.ts';
import { type Counter, DIRECTIONS, SHADOW_RESULTS } from '../handle/call/counters.ts';
import { SHED_REASONS } from '../handle/queue/shed-reason.ts';
import type { HostMetrics } from '../user-metrics/host-metrics.ts';
import type { MetricDefinition, MetricSeries } from '../user-metrics/table.ts';
import { instanceOf, string } from '../validation/fields.ts';
import { messageOf } from '../values/describe-value.ts';
import { addFleetMetrics, type FleetSample } from './fleet-metrics.ts';
import type { HttpCounts } from './http-counts.ts';
import { ownVersion } from './own-version.ts';
import { addPeerMetrics, type PeerSample } from './peer-metrics.ts';
import { type MetricsRegister, Registered } from './register.ts';
import { addReplicaMetrics } from './replica-metrics.ts';
import {
  type Add,
  count,
  type DeploymentSample,
  gauge,
  histogram,
  type MetricType,
  place,
  type Read,
  type Sample,
} from './samples.ts';

export type { MetricsRegister };

export interface MetricsOptions {
  /** The registry to use. Default: a new one. */
  register?: MetricsRegister;
  /** The prefix of all metric names. Default `'serve_'`. */
  prefix?: string;
}

export const METRICS_FIELDS = {
  register: instanceOf<MetricsRegister>(
    'a Prometheus registry',
    (value) =>
      typeof value === 'object' &&
      value !== null &&
      typeof Reflect.get(value, 'registerMetric') === 'function',
  ),
  prefix: string('a metric name prefix', /^[a-zA-Z_:][a-zA-Z0-9_:]*$/),
};

/** @internal The state of the host's event loop. */
export interface HostSample {
  /** The p99 of its lag, in ms. */
  readonly lagMs: number;
  readonly shedding: SheddingLevel;
}

/** @internal What an instance knows of its fleet and its peers; undefined outside a fleet. */
export interface FleetSamples {
  fleet(): FleetSample | undefined;
  peers(): PeerSample | undefined;
}

/** A metric that is computed when it is read, so that the call path only adds to plain numbers. */
class PulledMetric {
  name: string;
  help: string;
  type: string;
  readonly aggregator: string;
  readonly #read: () => Sample[];

  constructor(name: string, help: string, type: MetricType, read: () => Sample[]) {
    this.name = name;
    this.help = help;
    this.type = type;
    this.aggregator = 'sum';
    this.#read = read;
  }

  async get(): Promise<object> {
    const values = this.#read();
    const { name, help, type, aggregator } = this;
    return { name, help, type, aggregator, values };
  }

  /** Does nothing: the totals live in the statistics of the calls, which a registry cannot reset. */
  reset(): void {}
}

const DEFAULT_PREFIX = 'serve_';

/** @internal Exposes an instance to Prometheus. The client library is loaded when the metrics are first read. */
export class Metrics {
  readonly #options: MetricsOptions;
  readonly #sample: () => readonly DeploymentSample[];
  readonly #host: () => HostSample;
  readonly #userMetrics: HostMetrics;
  readonly #http: HttpCounts;
  readonly #info: Readonly<Record<string, string>>;
  readonly #fleet: FleetSamples;
  /** The samples of the scrape that is being read. */
  #taken: readonly DeploymentSample[] | undefined = undefined;
  #register: Promise<MetricsRegister> | undefined = undefined;
  /** Removes the metrics of this instance from an injected registry. */
  #unregister = (): void => {};

  constructor(
    options: MetricsOptions,
    sample: () => readonly DeploymentSample[],
    host: () => HostSample,
    userMetrics: HostMetrics,
    http: HttpCounts,
    info: Readonly<Record<string, string>>,
    fleet: FleetSamples,
  ) {
    this.#options = options;
    this.#sample = sample;
    this.#host = host;
    this.#userMetrics = userMetrics;
    this.#http = http;
    this.#info = info;
    this.#fleet = fleet;
    // An injected registry is filled at once, because the app may scrape it without calling `read`.
    const { register } = options;
    if (register === undefined) return;
    const registered = new Registered(register);
    this.#unregister = () => registered.clear();
    try {
      this.#register = Promise.resolve(this.#fill(registered));
    } catch (cause) {
      registered.clear();
      const prefix = options.prefix ?? DEFAULT_PREFIX;
      const what = `metrics.prefix: metrics that begin with '${prefix}' cannot be added to metrics.register`;
      const hint = 'give each instance that shares a registry a prefix of its own';
      throw new ServeError('SERVE_INVALID_OPTION', `${what} (${messageOf(cause)}): ${hint}`, { cause });
    }
  }

  /** The metrics as Prometheus text, with its content type. */
  async read(): Promise<{ text: string; contentType: string }> {
    this.#register ??= import('prom-client').then(({ Registry }) =>
      this.#fill(new Registry() as MetricsRegister),
    );
    const register = await this.#register;
    return { text: await register.metrics(), contentType: register.contentType };
  }

  /** Restores an injected registry to its former contents. */
  close(): void {
    this.#unregister();
  }

  /** The metrics of one scrape are read within one turn of the event loop and share their samples. */
  #samples(): readonly DeploymentSample[] {
    if (this.#taken === undefined) {
      this.#taken = this.#sample();
      setImmediate(() => {
        this.#taken = undefined;
      });
    }
    return this.#taken;
  }

  #fill(register: MetricsRegister): MetricsRegister {
    const prefix = this.#options.prefix ?? DEFAULT_PREFIX;
    const add: Add = (name, type, help, read) => {
      register.registerMetric(
        new PulledMetric(`${prefix}${name}`, help, type, () => read(this.#samples())) as never,
      );
    };
    add('requests_total', 'counter', 'Calls by outcome.', (samples) =>
      samples.flatMap((sample) =>
        sample.calls.map((series) => ({ value: series.count, labels: labelsOf(sample, series) })),
      ),
    );
    const duration = `${prefix}request_duration_seconds`;
    add(
      'request_duration_seconds',
      'histogram',
      'Time from remote() to the result, queueing included.',
      (samples) =>
        samples.flatMap((sample) =>
          sample.calls.flatMap((series) =>
            histogram(
              duration,
              labelsOf(sample, series),
              DURATION_BOUNDS_MS,
              1e-3,
              series.buckets,
              series.sumMs,
            ),
          ),
        ),
    );
    add('http_requests_total', 'counter', 'HTTP requests answered, by route, method and status.', () =>
      this.#http.read().map(({ app, deployment, route, method, statusCode, count }) => ({
        value: count,
        labels: { app, deployment, route, method, status_code: statusCode },
      })),
    );
    add(
      'ongoing_requests',
      'gauge',
      'Calls that hold a place at a replica.',
      gauge(({ ongoing }) => ongoing),
    );
    add(
      'queue_depth',
      'gauge',
      'Calls waiting for a replica.',
      gauge(({ queued }) => queued),
    );
    add('replicas', 'gauge', 'Replicas by state.', (samples) =>
      samples.flatMap((sample) =>
        Object.entries(sample.now?.replicaStates ?? {}).map(([state, value]) => ({
          value,
          labels: { ...place(sample), state },
        })),
      ),
    );
    add(
      'replica_restarts_total',
      'counter',
      'Replicas that ended unexpectedly.',
      count(({ restarts }) => restarts),
    );
    add(
      'unobserved_failures_total',
      'counter',
      'Failed calls whose error was never read.',
      count(({ unobserved }) => unobserved),
    );
    add('host_lag_seconds', 'gauge', "The p99 lag of the host's event loop.", () => [
      { value: this.#host().lagMs / 1_000, labels: {} },
    ]);
    add(
      'host_shedding',
      'gauge',
      'Load shedding while the event loop of the host lags: 1 for the current level.',
      () =>
        SHEDDING_LEVELS.map((level) => ({
          value: Number(level === this.#host().shedding),
          labels: { level },
        })),
    );
    addCounters(add);
    addReplicaMetrics(add, prefix);
    addFleetMetrics(add, () => this.#fleet.fleet());
    addPeerMetrics(add, () => this.#fleet.peers());
    add('info', 'gauge', 'The instance and its versions: always 1.', () => [
      { value: 1, labels: { version: ownVersion(), ...this.#info } },
    ]);
    add(
      'autoscaling_desired_replicas',
      'gauge',
      'Replicas that the autoscaler wants, before its delays.',
      gauge(({ desired }) => desired),
    );
    this.#addBatches(prefix, add);
    this.#userMetrics.watch((definition) => this.#addUserMetric(register, definition));
    return register;
  }

  #addUserMetric(register: MetricsRegister, { name, help, kind }: MetricDefinition): void {
    const metric = new PulledMetric(name, help, kind, () => {
      const scraped = this.#userMetrics.scrape(name);
      if (scraped === undefined) return [];
      const { definition, series } = scraped;
      // An update of the replicas' code may have changed help and type.
      metric.help = definition.help;
      metric.type = definition.kind;
      return series.flatMap((one) => userSamples(definition, one));
    });
    try {
      register.registerMetric(metric as never);
    } catch (cause) {
      this.#userMetrics.warn(name, messageOf(cause));
    }
  }

  #addBatches(prefix: string, add: Add): void {
    const size = `${prefix}batch_size`;
    const wait = `${prefix}batch_wait_seconds`;
    const each = (read: (labels: Record<string, string>, series: BatchSeries) => Sample[]): Read => {
      return (samples) =>
        samples.flatMap((sample) =>
          sample.batches.flatMap((series) => read({ ...place(sample), function: series.function }, series)),
        );
    };
    add(
      'batch_size',
      'histogram',
      'Items per batch.',
      each((labels, { sizes, items }) => histogram(size, labels, SIZE_BOUNDS, 1, sizes, items)),
    );
    add(
      'batch_wait_seconds',
      'histogram',
      'Time that the oldest item of a batch waited before the batch started.',
      each((labels, { waits, waitSumMs }) => histogram(wait, labels, WAIT_BOUNDS_MS, 1e-3, waits, waitSumMs)),
    );
  }
}

/** Adds the counters of events in the life of a call other than its outcome. */
function addCounters(add: Add): void {
  addLabelled(
    add,
    'shed_total',
    'Calls refused before they started, by reason.',
    'shed',
    'reason',
    SHED_REASONS,
  );
  const compared = 'Copies of calls sent to a shadow, by how their results compared.';
  addLabelled(add, 'shadow_results_total', compared, 'shadow', 'result', SHADOW_RESULTS);
  const messages = 'WebSocket messages, by direction.';
  addLabelled(add, 'websocket_messages_total', messages, 'websocket_messages', 'direction', DIRECTIONS);
  const bytes = 'Payload of WebSocket messages before compression, by direction.';
  addLabelled(add, 'websocket_bytes_total', bytes, 'websocket_bytes', 'direction', DIRECTIONS);
  const simple: [Counter, string][] = [
    ['retries', 'Calls sent again after their replica died.'],
    ['retries_denied', 'Calls not sent again because the retry budget was spent.'],
    ['hedges', 'Slow calls sent to a second replica as well.'],
    ['hedges_won', 'Hedged calls that the second replica answered first.'],
    ['coalesced', 'Calls that shared the running execution of a call with the same idempotency key.'],
    ['replayed', 'Calls answered with the kept result of a call with the same idempotency key.'],
  ];
  for (const [counter, help] of simple) {
    add(
      `${counter}_total`,
      'counter',
      help,
      count(({ counts }) => counts[counter] ?? 0),
    );
  }
}

/** Adds one metric for the counters of a kind, which a label distinguishes; counters that never counted are left out. */
function addLabelled<Kind extends string, Value extends string>(
  add: Add,
  name: string,
  help: string,
  kind: Kind,
  label: string,
  values: readonly (Value & (`${Kind}_${Value}` extends Counter ? Value : never))[],
): void {
  add(name, 'counter', help, (samples) =>
    samples.flatMap((sample) =>
      values.flatMap((one): Sample[] => {
        const value = sample.counts[`${kind}_${one}` as Counter];
        return value === undefined ? [] : [{ value, labels: { ...place(sample), [label]: one } }];
      }),
    ),
  );
}

function userSamples({ name, kind, labels, bounds }: MetricDefinition, series: MetricSeries): Sample[] {
  const { app, deployment, rank, values, value, buckets } = series;
  const own = Object.fromEntries(labels.map((label, index) => [label, values[index] ?? '']));
  const all = { app, deployment, ...(kind === 'gauge' && { rank }), ...own };
  return kind === 'histogram' ? histogram(name, all, bounds, 1, buckets, value) : [{ value, labels: all }];
}

function labelsOf(sample: DeploymentSample, { method, outcome }: CallSeries): Record<string, string> {
  return { ...place(sample), method: methodLabel(method), outcome };
}

import { invalidOption } from '../errors.ts';
import { callScope } from '../handle/call/scope.ts';
import { countInto } from '../load/histogram.ts';
import { type Fields, listOf, number, parseOptions, string } from '../validation/fields.ts';
import type { MetricDefinition, MetricKind, MetricSeries, MetricTable } from './table.ts';
import { threadMetrics } from './thread-metrics.ts';

/** Options of a counter or a gauge. */
export interface MetricOptions {
  /** Help text of the metric in the scrape. Default: its name. */
  help?: string;
  /** Names of its labels; `app`, `deployment` and, for gauges, `rank` are added automatically. Default none. */
  labels?: string[];
}

/** Options of a histogram. */
export interface HistogramOptions extends MetricOptions {
  /** Upper bounds in ascending order. Default 0.005 … 10, for seconds. */
  buckets?: number[];
}

/** Label values by the names that the metric declared. */
export type MetricLabels = Readonly<Record<string, string | number>>;

/** A metric that only rises. */
export interface Counter {
  /** Adds a value. @param value ≥ 0. Default 1 */
  inc(value?: number, labels?: MetricLabels): void;
}

/** A metric with a current value. */
export interface Gauge {
  /** Sets the value. */
  set(value: number, labels?: MetricLabels): void;
}

/** A metric that counts values by size. */
export interface Histogram {
  /** Counts a value. */
  observe(value: number, labels?: MetricLabels): void;
}

const NAME = string(
  'a metric name: letters, digits and _, not beginning with serve_',
  /^(?!serve_)[a-zA-Z_][a-zA-Z0-9_]*$/,
);
const LABEL = string(
  'a label name other than app, deployment, rank and le',
  /^(?!(?:app|deployment|rank|le)$)(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/,
);
const FIELDS: Fields<MetricOptions> = { help: string(), labels: listOf(LABEL) };
const HISTOGRAM_FIELDS: Fields<HistogramOptions> = {
  ...FIELDS,
  buckets: listOf(number(-Number.MAX_VALUE, Number.MAX_VALUE)),
};
const DEFAULT_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * Defines metrics of your own, which appear in the same scrape as those of the serving layer. In a replica they are counted in
 * its thread and sent to the host about once a second, with the labels `app` and `deployment`, gauges also with `rank`.
 *
 * At most 1,000 combinations of label values per metric are kept; values of further combinations are dropped with a warning.
 *
 * @throws ServeError `SERVE_INVALID_OPTION` for a bad name, label, bucket or value, or a name in use for another metric
 */
export const metrics = {
  counter(name: string, options: MetricOptions = {}): Counter {
    const table = define('counter', name, parseOptions(options, FIELDS, `metrics.counter('${name}')`));
    return {
      inc(value = 1, labels = {}) {
        check(value >= 0, `${name}.inc(value, labels)`, value, 'a number ≥ 0');
        seriesOf(table, labels).value += value;
      },
    };
  },

  gauge(name: string, options: MetricOptions = {}): Gauge {
    const table = define('gauge', name, parseOptions(options, FIELDS, `metrics.gauge('${name}')`));
    return {
      set(value, labels = {}) {
        check(Number.isFinite(value), `${name}.set(value, labels)`, value, 'a finite number');
        seriesOf(table, labels).value = value;
      },
    };
  },

  histogram(name: string, options: HistogramOptions = {}): Histogram {
    const what = `metrics.histogram('${name}')`;
    const { buckets = DEFAULT_BUCKETS, ...rest } = parseOptions(options, HISTOGRAM_FIELDS, what);
    const isAscending = buckets.every(
      (bound, index) => index === 0 || bound > (buckets[index - 1] as number),
    );
    if (!isAscending || buckets.length === 0) {
      throw invalidOption(`${what}.buckets`, buckets, 'numbers in ascending order');
    }
    const table = define('histogram', name, rest, buckets);
    return {
      observe(value, labels = {}) {
        check(Number.isFinite(value), `${name}.observe(value, labels)`, value, 'a finite number');
        const series = seriesOf(table, labels);
        series.value += value;
        countInto(series.buckets, buckets, value);
      },
    };
  },
};

function define(
  kind: MetricKind,
  name: string,
  { help = name, labels = [] }: MetricOptions,
  bounds: readonly number[] = [],
): MetricTable {
  NAME.parse(name, `metrics.${kind}(name)`);
  const definition: MetricDefinition = { kind, name, help, labels, bounds };
  return threadMetrics.define(definition);
}

/** The series of these labels for the deployment whose code is running. */
function seriesOf(table: MetricTable, labels: MetricLabels): MetricSeries {
  const { name, labels: names } = table.definition;
  const given = Object.keys(labels);
  if (given.length !== names.length || !given.every((label) => names.includes(label))) {
    throw invalidOption(
      `${name}: labels`,
      given.length === 0 ? undefined : given.join(', '),
      names.length === 0
        ? `none, unless its options declare them: { labels: ['${given[0]}'] }`
        : `exactly ${names.join(', ')}, as its options declare them`,
    );
  }
  const values = names.map((label) => String(labels[label]));
  const context = callScope.getStore()?.context;
  return table.series(context?.app ?? '', context?.deployment ?? '', values);
}

function check(holds: boolean, name: string, value: unknown, allowed: string): void {
  if (typeof value !== 'number' || !holds) throw invalidOption(name, value, allowed);
}

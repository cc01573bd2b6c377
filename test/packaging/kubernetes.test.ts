import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseShutdownOptions } from '../../src/adapters/shutdown/shutdown-options.ts';
import { kindOf, type Manifest, manifestsIn, typeOf, validate } from '../support/kubernetes.ts';

const FOLDER = 'deploy/kubernetes';
const FILES = globSync('*.yaml', { cwd: FOLDER });

const manifests = FILES.flatMap((file) => manifestsIn(join(FOLDER, file)));

/** What the types of the API say: unlike the schemas they know no fields but their own. */
function unknownFields(checked: readonly Manifest[]): string {
  // Modules are found from a folder of the project.
  const folder = mkdtempSync(resolve('node_modules/.cache/manifests-'));
  try {
    const source = checked.map((manifest, index) => {
      const { module } = kindOf(manifest);
      const name = `I${basename(module)}`;
      return `import type { ${name} as Kind${index} } from '${module}';\nexport const manifest${index}: Kind${index} = ${JSON.stringify(manifest)};`;
    });
    const file = join(folder, 'manifests.ts');
    writeFileSync(file, source.join('\n'));
    const tsc = resolve('node_modules/typescript/bin/tsc');
    const options = ['--noEmit', '--strict', '--skipLibCheck', '--ignoreConfig', '--types', ''];
    const { stdout } = spawnSync(
      process.execPath,
      [tsc, ...options, '--module', 'nodenext', '--target', 'es2023', file],
      { encoding: 'utf8' },
    );
    return stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const deployment = manifests.find(({ kind }) => kind === 'Deployment') as unknown as {
  metadata: { name: string };
  spec: {
    selector: { matchLabels: Record<string, string> };
    template: {
      metadata: { labels: Record<string, string> };
      spec: {
        terminationGracePeriodSeconds: number;
        containers: {
          ports: { name: string }[];
          readinessProbe: { httpGet: { path: string }; periodSeconds: number; failureThreshold: number };
          livenessProbe: { httpGet: { path: string } };
        }[];
      };
    };
  };
};

describe('deploy/kubernetes', () => {
  test.each(manifests.map((manifest) => [typeOf(manifest), manifest] as const))(
    '%s is valid by the schema of Kubernetes',
    (_type, manifest) => validate(manifest),
  );

  test('has no field that Kubernetes does not know', () => {
    expect(unknownFields(manifests)).toBe('');
    const [first] = manifests.filter(({ kind }) => kind === 'Service');
    expect(unknownFields([{ ...(first as Manifest), spek: {} } as Manifest])).toContain(
      '"spek"\' does not exist',
    );
  }, 180_000);

  test('the checks refuse what is wrong', () => {
    const wrong = { ...deployment, spec: { ...deployment.spec, replicas: 'three' } };
    expect(() => validate(wrong as unknown as Manifest)).toThrow('spec/replicas must be integer');
  });

  test('all manifests are about the same pods', () => {
    const { labels } = deployment.spec.template.metadata;
    expect(deployment.spec.selector.matchLabels).toEqual(labels);
    for (const manifest of manifests) {
      const { spec } = manifest as unknown as {
        spec: { selector?: Record<string, unknown>; scaleTargetRef?: { name: string } };
      };
      if (manifest.kind === 'Service') expect(spec.selector).toEqual(labels);
      if (manifest.kind === 'PodDisruptionBudget') expect(spec.selector).toEqual({ matchLabels: labels });
      if (manifest.kind === 'HorizontalPodAutoscaler')
        expect(spec.scaleTargetRef?.name).toBe(deployment.metadata.name);
    }
  });

  test('a pod has time for the shutdown, and is found not ready before it stops listening', () => {
    const { drainDelayMs, timeoutMs } = parseShutdownOptions({});
    const { terminationGracePeriodSeconds, containers } = deployment.spec.template.spec;
    expect(terminationGracePeriodSeconds * 1_000).toBeGreaterThan(drainDelayMs + timeoutMs);
    const [container] = containers;
    const { periodSeconds, failureThreshold } = container?.readinessProbe ?? {
      periodSeconds: Infinity,
      failureThreshold: 1,
    };
    expect(periodSeconds * failureThreshold * 1_000).toBeLessThan(drainDelayMs);
  });

  test('the page has the probes that the manifest asks', () => {
    const page = readFileSync('docs/kubernetes.md', 'utf8');
    const [container] = deployment.spec.template.spec.containers;
    expect(page).toContain(`app.get('${container?.livenessProbe.httpGet.path}'`);
    expect(page).toContain(`app.get('${container?.readinessProbe.httpGet.path}'`);
    for (const file of FILES) expect(page).toContain(`deploy/kubernetes/${file}`);
  });
});

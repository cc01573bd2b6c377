import { expect, test } from 'vitest';
import { declaresDeployments } from './deployment-modules.ts';

test.each([
  ["import { deployment } from 'inserve'; export const a = deployment(A, { name: 'A' });"],
  ['import { batch, deployment as declare } from "inserve"; declare(A);'],
  ["import * as inserve from 'inserve'; inserve.deployment(A);"],
  ["const { deployment } = require('inserve'); deployment(A);"],
])('a module that declares deployments: %s', (code) => {
  expect(declaresDeployments(code)).toBe(true);
});

test.each([
  ["import { serve } from 'inserve'; serve.middleware(app, { name: 'deployment' });"],
  ["import { deployment } from './inserve.ts'; deployment(A);"],
  ["import type { DeploymentHandle } from 'inserve'; export type Handle = DeploymentHandle<typeof A>;"],
])('a module that declares none: %s', (code) => {
  expect(declaresDeployments(code)).toBe(false);
});

import type { Scenario } from './scenario.ts';
import { adaptive } from './scenarios/adaptive.ts';
import { blackHole, recovered, slowReplica } from './scenarios/bad-replicas.ts';
import { goodput } from './scenarios/goodput.ts';
import { hedging } from './scenarios/hedging.ts';
import { models } from './scenarios/models.ts';
import { sessions } from './scenarios/sessions.ts';
import { step } from './scenarios/step.ts';
import { tenants } from './scenarios/tenants.ts';
import { throughput } from './scenarios/throughput.ts';
import { wait } from './scenarios/wait.ts';

export const SCENARIOS: readonly Scenario[] = [
  goodput,
  tenants,
  blackHole,
  slowReplica,
  recovered,
  wait,
  throughput,
  hedging,
  adaptive,
  models,
  sessions,
  step,
];

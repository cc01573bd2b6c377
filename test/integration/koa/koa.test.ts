import { quickOrWhole } from '../../support/long-run.ts';
import * as suites from '../every-framework/suites.ts';
import { mountKoa } from './mount.ts';

/** The code behind these is that of Express; the others depend on the framework, and are run each time. */
const { identity, inline, methods, security, validation, ...own } = suites;

for (const suite of Object.values(quickOrWhole(own, suites))) suite(mountKoa);

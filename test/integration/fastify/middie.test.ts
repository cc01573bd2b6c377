import { quickOrWhole } from '../../support/long-run.ts';
import * as suites from '../every-framework/suites.ts';
import { mountMiddie } from './mount.ts';

/** The middleware is that of Express; the suites that depend on the framework around it are run each time. */
const { bodies, disconnects, mounting, requests, routing } = suites;
const QUICK = [bodies, disconnects, mounting, requests, routing];

for (const suite of quickOrWhole(QUICK, Object.values(suites))) suite(mountMiddie);

import * as suites from '../http-conformance.ts';
import { mountPlugin } from './mount.ts';

for (const suite of Object.values(suites)) suite(mountPlugin);

import * as suites from '../http-conformance.ts';
import { mountMiddie } from './mount.ts';

for (const suite of Object.values(suites)) suite(mountMiddie);

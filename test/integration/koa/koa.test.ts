import * as suites from '../http-conformance.ts';
import { mountKoa } from './mount.ts';

for (const suite of Object.values(suites)) suite(mountKoa);

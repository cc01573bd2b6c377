import * as suites from '../every-framework/suites.ts';
import { mountKoa } from './mount.ts';

for (const suite of Object.values(suites)) suite(mountKoa);

import * as suites from '../every-framework/suites.ts';
import { mountExpress } from './mount.ts';

for (const suite of Object.values(suites)) suite(mountExpress);

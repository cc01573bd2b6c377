import * as suites from '../every-framework/suites.ts';
import { mountPlugin } from './mount.ts';

for (const suite of Object.values(suites)) suite(mountPlugin);

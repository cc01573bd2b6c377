import * as suites from '../every-framework/suites.ts';
import { mountMiddie } from './mount.ts';

for (const suite of Object.values(suites)) suite(mountMiddie);

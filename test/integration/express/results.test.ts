import { results } from '../every-framework/suites.ts';
import { mountExpress } from './mount.ts';

results(mountExpress);

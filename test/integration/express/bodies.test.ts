import { bodies } from '../every-framework/suites.ts';
import { mountExpress } from './mount.ts';

bodies(mountExpress);

import { methods } from '../every-framework/suites.ts';
import { mountExpress } from './mount.ts';

methods(mountExpress);

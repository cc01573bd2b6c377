import { mounting, routing } from '../every-framework/suites.ts';
import { mountExpress } from './mount.ts';

routing(mountExpress);
mounting(mountExpress);

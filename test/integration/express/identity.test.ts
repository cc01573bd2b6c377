import { identity } from '../every-framework/suites.ts';
import { mountExpress } from './mount.ts';

identity(mountExpress);

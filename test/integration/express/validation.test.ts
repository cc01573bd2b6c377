import { validation } from '../every-framework/suites.ts';
import { mountExpress } from './mount.ts';

validation(mountExpress);

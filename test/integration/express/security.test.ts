import { security } from '../every-framework/suites.ts';
import { mountExpress } from './mount.ts';

security(mountExpress);

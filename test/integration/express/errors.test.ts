import { errors } from '../every-framework/suites.ts';
import { mountExpress } from './mount.ts';

errors(mountExpress);

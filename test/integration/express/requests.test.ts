import { requests } from '../every-framework/suites.ts';
import { mountExpress } from './mount.ts';

requests(mountExpress);

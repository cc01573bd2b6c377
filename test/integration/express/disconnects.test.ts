import { disconnects } from '../every-framework/suites.ts';
import { mountExpress } from './mount.ts';

disconnects(mountExpress);

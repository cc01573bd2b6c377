import { streaming } from '../every-framework/suites.ts';
import { mountExpress } from './mount.ts';

streaming(mountExpress);

import { HAS_OLD_FRAMEWORKS } from '../../support/old-frameworks.ts';
import * as suites from '../every-framework/suites.ts';
import { mountExpress } from './mount.ts';

const { mounting, ...others } = suites;
for (const suite of Object.values(others)) suite(mountExpress);
mounting(mountExpress, { trimsSlash: HAS_OLD_FRAMEWORKS });

/** Our server in the transcripts of the first half of the folders. */
import { runOnOurServer } from './all.ts';

runOnOurServer('first');

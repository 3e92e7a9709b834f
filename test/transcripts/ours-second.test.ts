/** Our server in the transcripts of the second half of the folders. */
import { runOnOurServer } from './all.ts';

runOnOurServer('second');

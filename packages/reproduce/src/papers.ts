/**
 * The two comparisons: their tasks, and what could be sourced of how they were run (Tu et al. 2022,
 * arXiv 2210.12360 with its released scripts; Park et al. 2023, arXiv 2311.07820, of which only the
 * abstract could). No score of either paper is repeated here: none could be sourced.
 */
import type { TaskName } from '@polyprompt/tasks';
import type { TuningInput } from '@polyprompt/tuning';

export type PaperName = 'tu2022' | 'park2023';

/** Fine-tuning of the whole backbone, and prompt tuning. */
export const METHODS = ['FT', 'PT'] as const;
export type Method = (typeof METHODS)[number];

type Settings = Omit<TuningInput, 'task'>;

export interface PaperTask {
  /** Name of the task's folder in the data. */
  readonly id: string;
  readonly title: string;
  readonly task: TaskName;
  /** Entry of the task's metrics that the paper compares. */
  readonly metric: string;
  readonly settings: Readonly<Record<Method, Settings>>;
  /** Languages that the paper tested on. */
  readonly languages: readonly string[];
}

export interface Paper {
  readonly name: PaperName;
  readonly title: string;
  /** The direction that is put to the test, in our words. */
  readonly claim: string;
  /** Model type of the paper's backbones. */
  readonly family: 'roberta' | 'xglm';
  readonly backbones: string;
  /** Range of the tuned share in percent that the abstract states. */
  readonly share: readonly [least: number, most: number];
  readonly tasks: readonly PaperTask[];
}

const XNLI = 'ar bg de el en es fr hi ru sw th tr ur vi zh'.split(' ');
const PAWSX = 'en de es fr ja ko zh'.split(' ');
const UDPOS =
  'af ar bg de el en es et eu fa fi fr he hi hu id it ja kk ko mr nl pt ru ta te th tl tr ur vi yo zh'.split(
    ' ',
  );
const XQUAD = 'en es de el ru tr ar vi th zh hi'.split(' ');
const TYDIQA = 'en ar bn fi id ko ru sw te'.split(' ');
const PANX =
  'af ar bg bn de el en es et eu fa fi fr he hi hu id it ja jv ka kk ko ml mr ms my nl pt ru sw ta te th tl tr ur vi yo zh'.split(
    ' ',
  );

/** Bare tags as the released code and XTREME score them: runs of a tag are one chunk. */
const CHUNK_F1 = 'f1_seqeval_bare';

function task(
  id: string,
  title: string,
  name: TaskName,
  metric: string,
  languages: readonly string[],
  recipe: string,
  fineTuning: Settings = {},
): PaperTask {
  const settings = { FT: { recipe, method: 'full', ...fineTuning }, PT: { recipe } } as const;
  return { id, title, task: name, metric, languages, settings };
}

const TU2022: Paper = {
  name: 'tu2022',
  title: 'Prompt tuning against fine-tuning of an encoder (Tu, Xiong and Zhou 2022)',
  claim:
    'Trained on English alone, prompt tuning transfers to other languages better than fine-tuning, ' +
    'with 0.1 to 0.3 percent of the parameters and better aligned decision boundaries.',
  family: 'roberta',
  backbones: 'XLM-R large (base in some scripts)',
  share: [0.1, 0.3],
  tasks: [
    task('xnli', 'XNLI', 'text-classification', 'accuracy', XNLI, 'tu2022-xnli'),
    task('pawsx', 'PAWS-X', 'text-classification', 'accuracy', PAWSX, 'tu2022-pawsx'),
    task('udpos', 'UD-POS', 'token-classification', CHUNK_F1, UDPOS, 'tu2022-udpos'),
    task('xquad', 'XQuAD', 'question-answering', 'f1', XQUAD, 'tu2022-qa'),
    task('tydiqa', 'TyDiQA-GoldP', 'question-answering', 'f1', TYDIQA, 'tu2022-qa', { epochs: 30 }),
  ],
};

const PARK2023: Paper = {
  name: 'park2023',
  title: 'Prompt tuning against fine-tuning of a decoder (Park, Park, Yoo and Yoon 2023)',
  claim:
    'On a decoder, prompt tuning is on par with fine-tuning or better in all languages with at most ' +
    '0.13 percent of the parameters, helps low-resource languages more, and the difference is tied to ' +
    'how the tokenizer cuts a language.',
  family: 'xglm',
  backbones: 'XGLM',
  share: [0, 0.13],
  tasks: [
    task('xnli', 'XNLI', 'text-classification', 'accuracy', XNLI, 'park2023-xnli'),
    task('pawsx', 'PAWS-X', 'text-classification', 'accuracy', PAWSX, 'park2023-pawsx'),
    task('udpos', 'UD-POS', 'token-classification', CHUNK_F1, UDPOS, 'park2023-udpos'),
    task('ner', 'NER', 'token-classification', 'f1', PANX, 'park2023-ner'),
  ],
};

export const PAPERS: Readonly<Record<PaperName, Paper>> = { tu2022: TU2022, park2023: PARK2023 };

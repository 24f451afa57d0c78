#!/usr/bin/env python3
"""Average the weights of folders of one shape into a new one: checkpoints of one line of training, better than either.

After "model soups" (Wortsman et al. 2022, arXiv 2203.05482). run.json of the last folder is kept, with what was averaged.
"""
import argparse
import json
import os

import checkpoint
import corpus


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('folders', nargs='+', help='Hugging Face folders or run folders, oldest first')
    p.add_argument('--out', required=True)
    a = p.parse_args()
    nets = [checkpoint.load_folder(folder) for folder in a.folders]
    states = [net.state_dict() for net in nets]
    nets[-1].load_state_dict({name: sum(state[name] for state in states) / len(states) for name in states[-1]})
    checkpoint.save_folder(nets[-1], a.out, os.path.join(a.folders[-1], 'tokenizer.json'))
    with open(os.path.join(a.folders[-1], 'run.json'), encoding='utf-8') as f:
        run = json.load(f)
    run['average_of'] = [{'name': os.path.basename(os.path.normpath(folder)),
                          'sha256': corpus.sha256(os.path.join(folder, 'model.safetensors'))} for folder in a.folders]
    checkpoint.write_json(os.path.join(a.out, 'run.json'), run)


if __name__ == '__main__':
    main()

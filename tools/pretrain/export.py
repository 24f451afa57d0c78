#!/usr/bin/env python3
"""Write a finished run as a float16 Hugging Face folder with its sentencepiece model, run record and reference states."""
import argparse
import os
import shutil

import checkpoint
import reference


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('run', help='run folder of pretrain.py')
    p.add_argument('tokenizer', help='folder with sentencepiece.model and tokenizer.json')
    p.add_argument('out')
    a = p.parse_args()
    net = checkpoint.load_folder(a.run)
    checkpoint.save_folder(net, a.out, os.path.join(a.tokenizer, 'tokenizer.json'), 'F16')
    shutil.copyfile(os.path.join(a.tokenizer, 'sentencepiece.model'), os.path.join(a.out, 'sentencepiece.model'))
    shutil.copyfile(os.path.join(a.run, 'run.json'), os.path.join(a.out, 'run.json'))
    reference.write(a.out)


if __name__ == '__main__':
    main()

#!/usr/bin/env python3
"""The tables of a model card that a run.json holds: steps, tokens and hours of training; text by language."""
import argparse
import json
import os

KINDS = {'mono': 'LM', 'long': 'LM over long rows', 'tlm': 'translation LM',
         'align': 'sentence alignment', 'span': 'next span', 'point': 'gaps'}


def segments(calls):
    """The last call of every run: counters go on through resumed and branched runs, and start anew with another --from."""
    starts = [call['settings'].get('start') for call in calls]
    return [call for call, start, after in zip(calls, starts, [*starts[1:], '']) if after not in (None, start)]


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('folders', nargs='+', help='folders with a run.json')
    a = p.parse_args()
    for folder in a.folders:
        with open(os.path.join(folder, 'run.json'), encoding='utf-8') as f:
            run = json.load(f)
        print(f'\n{folder}\n\n| run | steps | tokens, M | of them | hours | last call began |\n|---|---|---|---|---|---|')
        parts = segments(run['calls'])
        for call in parts:
            causal = 'decoder' if call['settings'].get('causal') else 'encoder'
            of_them = ', '.join(f'{KINDS[k]} {v / 1e6:.1f}' for k, v in sorted(call['tokens'].items()))
            print(f'| {causal} | {call["steps"]:,} | {sum(call["tokens"].values()) / 1e6:.1f} | {of_them} '
                  f'| {call["seconds"] / 3600:.2f} | {call["began"]} |')
    print('\n| language | lines | sub-words, M |\n|---|---|---|')
    for lang, size in run['data']['mono'].items():
        print(f'| {lang} | {size["lines"]:,} | {size["tokens"] / 1e6:.1f} |')


if __name__ == '__main__':
    main()

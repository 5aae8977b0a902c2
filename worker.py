"""Run one worker: `python worker.py`. As many as there is work for, on any number of machines: docs/deploy.md says how."""

from outreach.cli.worker import main

if __name__ == "__main__":
    main()

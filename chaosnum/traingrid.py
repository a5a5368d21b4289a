"""Running a grid of experiments into its folder: what is finished is passed over, what had begun goes on.

A run that diverges ends there, and the grid goes on with the next: its last good weights are kept, and one line says
at which step it was and what to change. A figure that cannot be drawn takes no numbers with it.
"""

from time import perf_counter

from chaosnum import experiment


def run(folder, chosen, dataset, progress, *, threads=1):
    """Run what is not finished.

    Parameters
    ----------
    folder : chaosnum.trainfolder.Folder
    chosen : chaosnum.experiment.Settings
    dataset : chaosnum.data.Dataset
    progress : chaosnum.trainprogress.Progress
    threads : int
        No result depends on it.

    Raises
    ------
    ValueError
        A checkpoint that cannot be used, or a file that cannot be written.
    """
    done = folder.results
    for number, one in enumerate(experiment.runs(chosen), 1):
        if one.name not in done:
            _run(folder, chosen, dataset, progress, threads, number, one)


def _run(folder, chosen, dataset, progress, threads, number, one):
    from chaosnum import sgd

    about = experiment.about(chosen, one, dataset)
    trained = experiment.training(chosen, one, dataset, threads=threads)
    before = folder.load_state(one, trained, about)
    begun = perf_counter()
    words = experiment.words(chosen, one)
    progress.begin(number, words, trained.step)
    try:
        while not trained.stopped:
            evaluation = trained.advance()
            if folder.due() and not trained.stopped:
                folder.save_state(one, trained, before + perf_counter() - begun, about)
            progress.update(evaluation, trained.step)
    except sgd.Diverged as error:
        result = experiment.diverged(chosen, one, trained, error)
        file = folder.keep_diverged(one, trained, result, before + perf_counter() - begun, about)
        progress.say(f"chaosnum: run {number}, {words}: {error}; its weights at step {trained.step} are in {file}")
    else:
        result = experiment.result(chosen, one, dataset, trained, threads=threads)
        folder.finish_run(one, trained, result, before + perf_counter() - begun, about)
        progress.finished(result)


def finish(folder):
    """The table and the figures of a grid that is whole -> what went wrong with the figures, or "".

    Returns
    -------
    str
    """
    from chaosnum import trainsummary

    names, failure = [], ""
    try:
        from chaosnum import trainfigure

        names = trainfigure.write(folder.path, folder.about)
    except Exception as error:
        failure = f"{type(error).__name__}: {error}"
    folder.finish(trainsummary.rows(folder.about["runs"]), names)
    return failure

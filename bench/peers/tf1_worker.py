#!/usr/bin/env python3
"""TensorFlow 1's Session.run as a worker.

    tf1_worker.py                      serves; RESNET50 names the folder of a checkpoint of ResNet-50
    tf1_worker.py make_resnet FOLDER   writes that checkpoint: resnet50-1.meta with gradients, weight decay, clipping, Adam, averages and summaries
    tf1_worker.py make_cold FOLDER     writes the graph (w1 + w2) * bias, and its checkpoint
    tf1_worker.py cold FOLDER          imports, restores and runs that, and prints the result
    tf1_worker.py import FILE [N]      prints the seconds that import_meta_graph takes, the first time and, least of N, later
"""
import os, sys, tempfile, time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import tensorflow.compat.v1 as tf

from worker import BATCH, CHECKPOINTS, CNNS, LSTMS, MLPS, RESNET_STAGES, THREADS, UNITS, cnn, lstm, mlp, np, serve, tensors

tf.disable_v2_behavior()
tf.logging.set_verbosity(tf.logging.ERROR)
CONFIG = tf.ConfigProto(intra_op_parallelism_threads=THREADS, inter_op_parallelism_threads=THREADS)


def cross_entropy(labels, logits):
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=labels, logits=logits))


def session_of(build):
    """`build` makes the graph and gives fetches and feeds; a step is one Session.run, and gives the first fetch."""
    graph = tf.Graph()
    with graph.as_default():
        fetches, feeds = build()
        initialise = tf.global_variables_initializer()
    session = tf.Session(graph=graph, config=CONFIG)
    session.run(initialise)
    return lambda: session.run(fetches, feeds)[0]


def perceptron(name):
    def build():
        x, wanted, layers = mlp(name)
        px, pt = tf.placeholder(tf.float32, x.shape), tf.placeholder(tf.float32, wanted.shape)
        h = px
        for k, (w, b) in enumerate(layers):
            h = tf.matmul(h, tf.Variable(w)) + tf.Variable(b)
            if k + 1 < len(layers):
                h = tf.tanh(h) if name == "mlp_tiny" else tf.nn.relu(h)
        loss = tf.reduce_mean(tf.square(tf.sigmoid(h) - pt)) if name == "mlp_tiny" else cross_entropy(pt, h)
        return [loss, tf.train.GradientDescentOptimizer(1e-3).minimize(loss)], {px: x, pt: wanted}
    return session_of(build)


def convolutional(batch, trains):
    def build():
        x, labels, values = cnn(batch)
        p = [tf.Variable(v) for v in values]
        px, pt = tf.placeholder(tf.float32, [None, 28, 28, 1]), tf.placeholder(tf.float32, [None, 10])
        h = px
        for k in (0, 2):
            h = tf.nn.max_pool2d(tf.nn.relu(tf.nn.conv2d(h, p[k], strides=1, padding="SAME") + p[k + 1]), 2, 2, "SAME")
        h = tf.nn.relu(tf.matmul(tf.reshape(h, [-1, 3136]), p[4]) + p[5])
        logits = tf.matmul(h, p[6]) + p[7]
        if not trains:
            return [logits], {px: x}
        loss = cross_entropy(pt, logits)
        return [loss, tf.train.AdamOptimizer(1e-4).minimize(loss)], {px: x, pt: labels}
    return session_of(build)


def recurrent(trains):
    def build():
        x, labels, values = lstm()
        w, b, wo, bo = [tf.Variable(v) for v in values]
        px, pt = tf.placeholder(tf.float32, x.shape), tf.placeholder(tf.float32, labels.shape)
        h = c = tf.zeros([BATCH, UNITS])
        for xt in tf.unstack(px, axis=1):
            i, j, f, o = tf.split(tf.matmul(tf.concat([xt, h], 1), w) + b, 4, 1)
            c = tf.sigmoid(f + 1.0) * c + tf.sigmoid(i) * tf.tanh(j)
            h = tf.sigmoid(o) * tf.tanh(c)
        logits = tf.matmul(h, wo) + bo
        if not trains:
            return [logits], {px: x}
        loss = cross_entropy(pt, logits)
        return [loss, tf.train.GradientDescentOptimizer(1e-3).minimize(loss)], {px: x, pt: labels}
    return session_of(build)


def resnet50(x, training):
    def convolution(h, size, channels, stride, name):
        w = tf.get_variable(name + "/weights", [size, size, h.shape[-1], channels], initializer=tf.random_normal_initializer(stddev=(2.0 / (size * size * channels)) ** 0.5))
        return tf.nn.conv2d(h, w, strides=stride, padding="SAME", name=name)

    def normalised(h, name, active=True):
        with tf.variable_scope(name):
            make = lambda what, value, **more: tf.get_variable(what, [h.shape[-1]], initializer=tf.constant_initializer(value), **more)
            scale, shift = make("gamma", 1.0), make("beta", 0.0)
            mean, variance = make("moving_mean", 0.0, trainable=False), make("moving_variance", 1.0, trainable=False)
            if training:
                h, batch_mean, batch_variance = tf.nn.fused_batch_norm(h, scale, shift, epsilon=1e-5, is_training=True)
                for moving, now in ((mean, batch_mean), (variance, batch_variance)):
                    tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, tf.assign_sub(moving, 0.01 * (moving - now)))
            else:
                h, _, _ = tf.nn.fused_batch_norm(h, scale, shift, mean=mean, variance=variance, epsilon=1e-5, is_training=False)
        return tf.nn.relu(h) if active else h

    h = tf.nn.max_pool2d(normalised(convolution(x, 7, 64, 2, "conv1"), "bn1"), 3, 2, "SAME")
    for stage, (blocks, channels, first_stride) in enumerate(RESNET_STAGES, 1):
        for block in range(1, blocks + 1):
            stride = first_stride if block == 1 else 1
            with tf.variable_scope(f"stage{stage}_block{block}"):
                around = normalised(convolution(h, 1, 4 * channels, stride, "short"), "bn_short", False) if block == 1 else h
                inner = normalised(convolution(h, 1, channels, 1, "a"), "bn_a")
                inner = normalised(convolution(inner, 3, channels, stride, "b"), "bn_b")
                inner = normalised(convolution(inner, 1, 4 * channels, 1, "c"), "bn_c", False)
                h = tf.nn.relu(inner + around)
    h = tf.reduce_mean(h, [1, 2], name="pool")
    w = tf.get_variable("fc/weights", [2048, 1000], initializer=tf.random_normal_initializer(stddev=0.01))
    return tf.add(tf.matmul(h, w), tf.get_variable("fc/biases", [1000], initializer=tf.zeros_initializer()), name="logits")


def make_resnet(folder):
    tf.set_random_seed(1)
    images, labels = tf.placeholder(tf.float32, [None, 224, 224, 3], name="images"), tf.placeholder(tf.int32, [None], name="labels")
    with tf.variable_scope("net"):
        logits = resnet50(images, False)
    tf.nn.softmax(logits, name="prob")
    with tf.variable_scope("net", reuse=True):
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=resnet50(images, True)))
    weights = tf.trainable_variables()
    loss += 1e-4 * tf.add_n([tf.nn.l2_loss(w) for w in weights if "weights" in w.name])
    gradients, _ = tf.clip_by_global_norm(tf.gradients(loss, weights), 5.0)
    for w, d in zip(weights, gradients):
        tf.summary.histogram(w.op.name + "/gradient", d)
    tf.summary.merge_all()
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        step = tf.train.AdamOptimizer(1e-4).apply_gradients(zip(gradients, weights), global_step=tf.train.get_or_create_global_step())
    with tf.control_dependencies([step]):
        tf.group(tf.train.ExponentialMovingAverage(0.999).apply(weights), name="train")
    save("resnet50", 1, folder)


def make_cold(folder):
    w1, w2 = tf.placeholder(tf.float32, name="w1"), tf.placeholder(tf.float32, name="w2")
    tf.multiply(tf.add(w1, w2), tf.Variable(2.0, name="bias"), name="op_to_restore")
    save("my_test_model", 1000, folder)


def save(name, step, folder):
    os.makedirs(folder, exist_ok=True)
    saver = tf.train.Saver()
    with tf.Session(config=CONFIG) as session:
        session.run(tf.global_variables_initializer())
        saver.save(session, os.path.join(folder, name), global_step=step)


def restored(prefix):
    saver = tf.train.import_meta_graph(prefix + ".meta")
    session = tf.Session(config=CONFIG)
    saver.restore(session, prefix)
    return session


def resnet_case():
    with tf.Graph().as_default():
        session = restored(os.environ["RESNET50"] + "/resnet50-1")
    image = np.full((1, 224, 224, 3), 0.5, np.float32)
    return lambda: session.run("prob:0", {"images:0": image})


def files(name, restores):
    folder, filled = tempfile.TemporaryDirectory(prefix="tenon-bench-"), tensors(name)
    with tf.Graph().as_default():
        variables = {k: tf.get_variable("v" + k, v.shape, initializer=tf.constant_initializer(v[0])) for k, v in filled.items()}
        saver, session = tf.train.Saver(variables), tf.Session(config=CONFIG)
        session.run(tf.global_variables_initializer())
    save = lambda: saver.save(session, os.path.join(folder.name, "variables"), write_meta_graph=False)
    prefix, last = save(), variables[str(len(variables) - 1)]
    if not restores:
        return lambda: (save(), 1.0)[1]
    return lambda folder=folder: (saver.restore(session, prefix), session.run(last)[-1])[1]


def cold(folder):
    print(restored(tf.train.latest_checkpoint(folder)).run("op_to_restore:0", {"w1:0": 13.0, "w2:0": 17.0}))


def time_import(path, more=0):
    times = []
    for _ in range(1 + int(more)):
        with tf.Graph().as_default():
            start = time.perf_counter()
            tf.train.import_meta_graph(path)
            times.append(time.perf_counter() - start)
    print(times[0], *([min(times[1:])] if more else []))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        {"make_resnet": make_resnet, "make_cold": make_cold, "cold": cold, "import": time_import}[sys.argv[1]](*sys.argv[2:])
    else:
        cases = {f"{name}/session.run": lambda name=name: perceptron(name) for name in MLPS}
        cases |= {f"{name}/session.run": lambda size=size: convolutional(*size) for name, size in CNNS.items()}
        cases |= {f"{name}/session.run": lambda trains=trains: recurrent(trains) for name, trains in LSTMS.items()}
        cases |= {f"{what}_{name}/Saver": lambda name=name, what=what: files(name, what == "restore") for name in CHECKPOINTS for what in ("save", "restore")}
        if "RESNET50" in os.environ:
            cases["resnet50_infer1/session.run"] = resnet_case
        serve(cases)

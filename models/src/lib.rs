//! Nothing here: the models are the tests.
